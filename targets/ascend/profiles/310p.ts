/**
 * Ascend 310P3 (dav-m200, NpuArch 2002): fused cores, in which cube and vector share one unified buffer. Its seven
 * further vector cores are left out: no kernel of moec is split between the two kinds.
 */
import { derived, model, uncertain, vendor } from "../../../src/machine/figure.ts";
import type { Profile } from "../../../src/machine/profile.ts";
import { energyModel, factors, fractal, globalRead, globalWrite, matrixCycles, queueDepth, vectorStartup } from "./common.ts"; // prettier-ignore

const KiB = 1024;
const ini = (field: string): string => `CANN 8.1 Ascend310P3.ini, ${field}`;
const arch = "asc-devkit; its pages for 2201, taken to hold for 2002";
const assumedStart = model(16, "the instruction's own time, assumed");

const space = (
  name: string,
  kibibytes: number,
  align: number,
  layouts: Profile["spaces"][number]["layouts"],
) =>
  ({
    name,
    scope: "core",
    core: "ai",
    bytes: vendor(kibibytes * KiB, ini(`${name} size`)),
    align: uncertain(align, arch),
    layouts,
    fractal,
  }) as const;

const rates: Profile["matrix"]["rates"] = [
  { a: "f16", b: "f16", acc: "f32", m: 16, n: 16, k: 16, cycles: matrixCycles(1) },
  { a: "i8", b: "i8", acc: "i32", m: 16, n: 16, k: 32, cycles: matrixCycles(1) },
  { a: "i4", b: "i4", acc: "i32", m: 16, n: 16, k: 64, cycles: matrixCycles(1) },
];

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
    space("l1", 1024, 32, ["nz", "nd"]),
    space("l0a", 64, 512, ["zz"]),
    space("l0b", 64, 512, ["zn"]),
    {
      ...space("l0c", 256, 512, ["nz"]),
      fractal: { rows: fractal.rows, rowBytes: vendor(64, `${arch}: 16 x 16 accumulators of 4 bytes`) },
    },
    {
      ...space("ub", 256, 32, ["nd", "nz"]),
      reserved: vendor(8 * KiB, "CANN operator tests: 248 KiB of the 256 are usable"),
      banks: {
        groups: vendor(16, ini("ubbank_group_num")),
        perGroup: derived(4, ini("64 banks in 16 groups")),
        bytes: vendor(4 * KiB, ini("ubbank_size")),
      },
    },
  ],
  engines: [
    { name: "mte2", core: "ai" },
    { name: "mte1", core: "ai", queue: queueDepth },
    { name: "cube", core: "ai", queue: queueDepth },
    { name: "vec", core: "ai" },
    { name: "mte3", core: "ai" },
    { name: "scalar", core: "ai" },
  ],
  paths: [
    {
      core: "ai",
      engine: "mte2",
      from: "gm",
      to: "l1",
      bytesPerCycle: vendor(114, ini("l2_read_rate: all of global memory is read through the L2")),
      ...globalRead,
      layouts: [["nd", "nz"], ["nz", "nz"], ["nd", "nd"]],
    },
    {
      core: "ai",
      engine: "mte2",
      from: "gm",
      to: "ub",
      bytesPerCycle: vendor(114, ini("l2_read_rate")),
      ...globalRead,
      layouts: [["nd", "nd"], ["nz", "nz"]],
    },
    {
      core: "ai",
      engine: "mte1",
      from: "l1",
      to: "l0a",
      bytesPerCycle: vendor(512, ini("l1_to_l0_a_rate")),
      startup: assumedStart,
      layouts: [["nz", "zz"]],
    },
    {
      core: "ai",
      engine: "mte1",
      from: "l1",
      to: "l0b",
      bytesPerCycle: vendor(256, ini("l1_to_l0_b_rate")),
      startup: assumedStart,
      layouts: [["nz", "zn"]],
    },
    {
      core: "ai",
      engine: "mte1",
      from: "l1",
      to: "ub",
      bytesPerCycle: vendor(128, ini("l1_to_ub_rate")),
      startup: assumedStart,
      layouts: [["nz", "nz"], ["nd", "nd"]],
    },
    {
      core: "ai",
      engine: "vec",
      from: "l0c",
      to: "ub",
      bytesPerCycle: vendor(512, ini("l0_c_to_ub_rate; CANN operator tests count with 256")),
      startup: vectorStartup,
      layouts: [["nz", "nz"]],
      converts: uncertain(
        [
          { from: "f32", to: "f16" },
          { from: "i32", to: "f16", scale: "channel" },
        ],
        ini("Intrinsic_vconv: f322f16 and deq, taken to work on the way out of L0C"),
      ),
    },
    {
      core: "ai",
      engine: "mte3",
      from: "ub",
      to: "gm",
      bytesPerCycle: vendor(114, ini("ub_to_l2_rate")),
      ...globalWrite,
      layouts: [["nd", "nd"], ["nz", "nz"], ["nz", "nd"]],
    },
    {
      core: "ai",
      engine: "mte3",
      from: "ub",
      to: "l1",
      bytesPerCycle: vendor(256, ini("ub_to_l1_rate")),
      startup: assumedStart,
      layouts: [["nd", "nz"], ["nz", "nz"]],
    },
  ], // prettier-ignore
  matrix: { core: "ai", engine: "cube", a: "l0a", b: "l0b", c: "l0c", rates, startup: assumedStart },
  vector: {
    core: "ai",
    engine: "vec",
    space: "ub",
    bytesPerCycle: derived(256, ini("vec_calc_size: 128 of f16 a cycle")),
    startup: vectorStartup,
    dtypes: vendor(["f32", "f16", "i32", "i16"], ini("Intrinsic_vadd and vmul")),
    converts: vendor(
      [
        { from: "f32", to: "f16" },
        { from: "f16", to: "f32" },
        { from: "f32", to: "i32" },
        { from: "i32", to: "f32" },
        { from: "f16", to: "i32" },
        { from: "i32", to: "f16" },
        { from: "f16", to: "i16" },
        { from: "i16", to: "f16" },
        { from: "i16", to: "i8" },
        { from: "f16", to: "i8" },
        { from: "i8", to: "f16" },
        { from: "f16", to: "u8" },
        { from: "u8", to: "f16" },
        { from: "f16", to: "i4" },
      ],
      ini("Intrinsic_vconv"),
    ),
    factors,
  },
  flags: {
    perPair: uncertain(8, arch),
    reserved: uncertain(2, arch),
  },
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
