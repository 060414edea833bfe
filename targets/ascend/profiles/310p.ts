/**
 * Ascend 310P3 (dav-m200, NpuArch 2002): fused cores, in which cube and vector share one unified buffer. Its seven
 * further vector cores are left out: no kernel of moec is split between the two kinds.
 */
import { conversions, copy, fragment, inCore, scaledConversions } from "../../../src/machine/declare.ts";
import { derived, model, uncertain, vendor } from "../../../src/support/figure.ts";
import type { Layout, Profile } from "../../../src/machine/profile.ts";
import {
  accumulators,
  energyModel,
  factors,
  fractal,
  fusedEngines,
  globalRead,
  globalWrite,
  instructionTime,
  matrixCycles,
  vectorStartup,
} from "./common.ts";

const KiB = 1024;
const ini = (field: string): string => `CANN 8.1 Ascend310P3.ini, ${field}`;
const arch = "asc-devkit; its pages for 2201, taken to hold for 2002";

const space = (name: string, size: string, kibibytes: number, align: number, layouts: readonly Layout[]) =>
  inCore("ai", name, vendor(kibibytes * KiB, ini(size)), { align: uncertain(align, arch), layouts, fractal });

const paths: Profile["paths"] = [
  copy(
    ["ai", "mte2"],
    ["gm", "l1"],
    vendor(114, ini("l2_read_rate: all of global memory is read through the L2")),
    { ...globalRead, layouts: [["nd", "nz"], ["nz", "nz"], ["nd", "nd"]] },
  ),
  copy(["ai", "mte2"], ["gm", "ub"], vendor(114, ini("l2_read_rate")), {
    ...globalRead,
    layouts: [["nd", "nd"], ["nz", "nz"]],
  }),
  copy(["ai", "mte1"], ["l1", "l0a"], vendor(512, ini("l1_to_l0_a_rate")), {
    startup: instructionTime,
    layouts: [["nz", "zz"]],
  }),
  copy(["ai", "mte1"], ["l1", "l0b"], vendor(256, ini("l1_to_l0_b_rate")), {
    startup: instructionTime,
    layouts: [["nz", "zn"]],
  }),
  copy(["ai", "mte1"], ["l1", "ub"], vendor(128, ini("l1_to_ub_rate")), {
    startup: instructionTime,
    layouts: [["nz", "nz"], ["nd", "nd"]],
  }),
  copy(
    ["ai", "vec"],
    ["l0c", "ub"],
    vendor(512, ini("l0_c_to_ub_rate; CANN operator tests count with 256")),
    {
      startup: vectorStartup,
      layouts: [["nz", "nz"]],
      converts: uncertain(
        [...conversions(["f32", "f16"]), ...scaledConversions(["i32", "f16"])],
        ini("Intrinsic_vconv: f322f16 and deq, taken to work on the way out of L0C"),
      ),
    },
  ),
  copy(["ai", "mte3"], ["ub", "gm"], vendor(114, ini("ub_to_l2_rate")), {
    ...globalWrite,
    layouts: [["nd", "nd"], ["nz", "nz"], ["nz", "nd"]],
  }),
  copy(["ai", "mte3"], ["ub", "l1"], vendor(256, ini("ub_to_l1_rate")), {
    startup: instructionTime,
    layouts: [["nd", "nz"], ["nz", "nz"]],
  }),
]; // prettier-ignore

const rates: Profile["matrix"]["rates"] = [
  fragment("f16", "f32", [16, 16, 16], matrixCycles(1)),
  fragment("i8", "i32", [16, 16, 32], matrixCycles(1)),
  fragment("i4", "i32", [16, 16, 64], matrixCycles(1)),
];

const vector: Profile["vector"] = {
  core: "ai",
  engine: "vec",
  space: "ub",
  bytesPerCycle: derived(256, ini("vec_calc_size: 128 of f16 a cycle")),
  startup: vectorStartup,
  dtypes: vendor(["f32", "f16", "i32", "i16"], ini("Intrinsic_vadd and vmul")),
  converts: vendor(
    [
      ...conversions(["f32", "f16"], ["f16", "f32"], ["f32", "i32"], ["i32", "f32"]),
      ...conversions(["f16", "i32"], ["i32", "f16"], ["f16", "i16"], ["i16", "f16"], ["i16", "i8"]),
      ...conversions(["f16", "i8"], ["i8", "f16"], ["f16", "u8"], ["u8", "f16"], ["f16", "i4"]),
    ],
    ini("Intrinsic_vconv"),
  ),
  factors,
};

export const ascend310p: Profile = {
  name: "ascend-310p",
  summary: "Huawei Ascend 310P3: 8 fused cores at 1.06 GHz, no bf16",
  vendor: "Huawei",
  clock: vendor(1060, ini("cube_freq")),
  groups: vendor(8, ini("ai_core_cnt")),
  cores: [{ name: "ai", perGroup: vendor(1, ini("AIC-M-200")) }],
  spaces: [
    {
      name: "gm",
      scope: "chip",
      bytes: vendor(24e9, ini("memory_size")),
      align: uncertain(32, arch),
      layouts: ["nd", "nz"],
      fractal,
    },
    space("l1", "l1_size", 1024, 32, ["nz", "nd"]),
    space("l0a", "l0_a_size", 64, 512, ["zz"]),
    space("l0b", "l0_b_size", 64, 512, ["zn"]),
    { ...space("l0c", "l0_c_size", 256, 512, ["nz"]), fractal: accumulators },
    {
      ...space("ub", "ub_size", 256, 32, ["nd", "nz"]),
      reserved: vendor(8 * KiB, "CANN operator tests: 248 KiB of the 256 are usable"),
      banks: {
        groups: vendor(16, ini("ubbank_group_num")),
        perGroup: derived(4, ini("64 banks in 16 groups")),
        bytes: vendor(4 * KiB, ini("ubbank_size")),
      },
    },
  ],
  engines: fusedEngines,
  paths,
  matrix: { core: "ai", engine: "cube", a: "l0a", b: "l0b", c: "l0c", rates, startup: instructionTime },
  vector,
  flags: { perPair: uncertain(8, arch), reserved: uncertain(2, arch) },
  memory: {
    capacity: vendor(24e9, ini("memory_size")),
    bytesPerSecond: uncertain(204e9, "press on the Atlas 300I Duo: 408 GB/s of two chips"),
    sustained: model(0.8, "assumed of LPDDR4X; the configuration's ddr_rate gives 0.7"),
    l2Bytes: vendor(16 * KiB * KiB, ini("l2_size")),
    l2BytesPerCycle: derived(8 * 114, ini("l2_read_rate of every core")),
  },
  launch: vendor(5, "msmodeling: static cost of a matrix operator"),
  energy: energyModel({ memoryByte: 60, watts: 15, rates }),
};
