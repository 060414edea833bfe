/**
 * Ascend 950PR as PR_9579 (dav-c310, NpuArch 3510): split cores as on the 910B, but the cube core writes straight into
 * the unified buffer of its vector cores, and they into its L1.
 */
import { conversions, copy, fragment, inCore, scaledConversions } from "../../../src/machine/declare.ts";
import { derived, measured, uncertain, vendor, type Figure } from "../../../src/support/figure.ts";
import type { Layout, Profile } from "../../../src/machine/profile.ts";
import {
  accumulators,
  castings,
  energyModel,
  fractal,
  globalRead,
  globalWrite,
  instructionTime,
  matrixCycles,
  splitCores,
  splitEngines,
  storeTime,
} from "./common.ts";

const KiB = 1024;
const spec = "AscendNPU-IR NPUTargetSpec.td; catlass arch.hpp";
const arch = "asc-devkit, NPU architecture 3510";
const old = "asc-devkit, NPU architecture 2201, taken to hold for 3510";
const ini = (field: string): string => `CANN 950PR_957x.ini, ${field}`;
const fits = "CANN graph engine (hicann/ge), autofuse perf_param_v2, for 3510";
const rowBytes = vendor(128, `${arch}: align the inner axis to 128 bytes`);
const copies = "asc-devkit, best practices of DataCopy, 950 with 32 cores";
const read = {
  ...globalRead,
  startup: derived(37, `fitted on ${copies}: 36864 copies of 128 bytes a vector core, 881 us of MTE2`),
  latency: vendor(775, `${fits}: pipe head of MTE2 for small copies`),
  rowBytes,
};
const write = { ...globalWrite, latency: vendor(571, `${fits}: pipe head of MTE3`), rowBytes };

const loads = "asc-devkit, tests/perf/load_data_perf, 3510";
const cubeStartup = measured(
  3,
  "asc-devkit, matmul best practices on a 950PR: the cube takes 0.3 % longer than its 1024 fragments of 256 x 256 x 64",
);

const onCube = (name: string, kibibytes: number, align: number, layouts: readonly Layout[]) =>
  inCore("cube", name, vendor(kibibytes * KiB, spec), { align: uncertain(align, old), layouts, fractal });

const converts = vendor(
  [
    ...conversions(["f32", "f16"], ["f32", "bf16"]),
    ...scaledConversions(["f32", "i8"], ["i32", "f16"], ["i32", "i8"]),
  ],
  ini("fix_pipe_pre_conv"),
);

const paths: Profile["paths"] = [
  copy(["cube", "mte2"], ["gm", "l1"], vendor(100, ini("AICoreMemoryRates, l2_read_rate")), {
    ...read,
    rearranging: {
      rowCycles: derived(
        4.8,
        `fitted on ${copies}: 301.99 MB in tiles of 64 rows of 128 bytes, 241.6 us of MTE2`,
      ),
    },
    layouts: [["nd", "nz"], ["nz", "nz"], ["nd", "nd"]],
  }),
  copy(["cube", "mte1"], ["l1", "l0a"], vendor(256, ini("l1_to_l0_a_rate")), {
    startup: vendor(30, loads),
    layouts: [["nz", "nz"]],
  }),
  copy(["cube", "mte1"], ["l1", "l0b"], vendor(256, ini("l1_to_l0_b_rate")), {
    startup: vendor(30, loads),
    layouts: [["nz", "zn"]],
  }),
  copy(
    ["cube", "fix"],
    ["l0c", "gm"],
    derived(100, ini("l2_write_rate: less than the 128 of FixPipe to the unified buffer")),
    { startup: storeTime, latency: write.latency, rowBytes, layouts: [["nz", "nd"], ["nz", "nz"]], converts },
  ),
  copy(["cube", "fix"], ["l0c", "ub"], vendor(128, ini("l0_c_to_ub_rate")), {
    startup: storeTime,
    layouts: [["nz", "nd"], ["nz", "nz"]],
    converts,
  }),
  copy(
    ["cube", "fix"],
    ["l0c", "l1"],
    uncertain(128, ini("l0_c_to_ub_rate, taken to hold for L1 too")),
    { startup: storeTime, layouts: [["nz", "nz"]], converts },
  ),
  copy(["vector", "mte2"], ["gm", "ub"], vendor(100, ini("VectorCoreMemoryRates, l2_read_rate")), {
    ...read,
    layouts: [["nd", "nd"], ["nz", "nz"]],
  }),
  copy(["vector", "mte3"], ["ub", "gm"], vendor(42, ini("VectorCoreMemoryRates, ub_to_l2_rate")), {
    ...write,
    layouts: [["nd", "nd"], ["nz", "nz"]],
  }),
  copy(["vector", "mte3"], ["ub", "l1"], vendor(128, ini("AICoreMemoryRates, ub_to_l1_rate")), {
    startup: instructionTime,
    layouts: [["nd", "nz"], ["nz", "nz"]],
  }),
]; // prettier-ignore

const eightBits = vendor(1, "asc-devkit 3510 and DtypeMKN: 16 x 32 x 16 for 8 bits, one fragment a cycle");
const rates: Profile["matrix"]["rates"] = [
  fragment("f16", "f32", [16, 16, 16], matrixCycles(1)),
  fragment("bf16", "f32", [16, 16, 16], matrixCycles(1)),
  fragment("i8", "i32", [16, 16, 32], matrixCycles(1)),
  fragment("f8e4m3", "f32", [16, 16, 32], eightBits),
  fragment("f8e5m2", "f32", [16, 16, 32], eightBits),
  fragment(
    "f4e2m1",
    "f32",
    [16, 16, 64],
    uncertain(1, "Huawei Connect 2025: MXFP4 at twice the rate of FP8"),
  ),
  fragment(
    "f32",
    "f32",
    [16, 16, 8],
    uncertain(2, "as on 2201; DtypeMKN has 16 x 8 x 16, and no rate is published"),
  ),
];

const fitted = (value: number, of: string): Figure => vendor(value, `${fits}: ${of}`);
const vector: Profile["vector"] = {
  core: "vector",
  engine: "vec",
  space: "ub",
  bytesPerCycle: vendor(256, ini("vector_reg_width: one register a cycle")),
  startup: fitted(20, "head of a vector function"),
  dtypes: vendor(["f32", "f16", "bf16", "i32", "i16", "i8"], `${fits}: Add; Intrinsic_vectorized_vadd`),
  converts: vendor(castings, ini("Intrinsic_vconv")),
  factors: {
    elementwise: fitted(1, "Add of floats"),
    convert: fitted(2, "Cast"),
    divide: fitted(4, "Div and Sqrt of f32; f16 takes 8"),
    transcendental: fitted(4, "Exp of f32; f16 takes 8"),
    reduce: uncertain(2, "as on 2201; one instruction reduces a register in 19 cycles"),
    gather: measured(33, "20 ns for 64 lanes on a PR_9579"),
    sort: uncertain(6, "as on 2201"),
  },
};

export const ascend950pr: Profile = {
  name: "ascend-950pr",
  summary: "Huawei Ascend 950PR (PR_9579): 28 cube and 56 vector cores at 1.65 GHz, fp8 and mxfp4",
  vendor: "Huawei",
  clock: vendor(1650, ini("cube_freq")),
  groups: vendor(28, ini("cube_core_cnt")),
  cores: splitCores(arch),
  spaces: [
    {
      name: "gm",
      scope: "chip",
      bytes: vendor(128 * KiB ** 3, ini("memory_size")),
      align: uncertain(32, old),
      layouts: ["nd", "nz"],
      fractal,
    },
    onCube("l1", 512, 32, ["nz", "nd"]),
    onCube("l0a", 64, 512, ["nz"]),
    onCube("l0b", 64, 512, ["zn"]),
    { ...onCube("l0c", 256, 512, ["nz"]), fractal: accumulators },
    inCore("vector", "ub", vendor(256 * KiB, spec), {
      reserved: vendor(8 * KiB, `${spec}: the compiler keeps 8 KiB`),
      align: uncertain(32, old),
      layouts: ["nd", "nz"],
      fractal,
      banks: { groups: vendor(8, arch), perGroup: vendor(2, arch), bytes: vendor(16 * KiB, arch) },
    }),
  ],
  engines: splitEngines,
  paths,
  matrix: { core: "cube", engine: "cube", a: "l0a", b: "l0b", c: "l0c", rates, startup: cubeStartup },
  vector,
  flags: {
    perPair: uncertain(8, old),
    reserved: uncertain(2, old),
    cross: { count: vendor(11, "asc-devkit: flags 0 to 10"), counterMax: vendor(15, "asc-devkit") },
  },
  memory: {
    capacity: vendor(128 * KiB ** 3, ini("memory_size")),
    bytesPerSecond: vendor(1.6e12, "NPUTargetSpec.td and Huawei Connect 2025: HiBL 1.0"),
    sustained: measured(1, "weight streams of 1.68 to 1.74 TB/s on a PR_9579, above the nominal rate"),
    l2Bytes: vendor(128 * KiB * KiB, ini("l2_size")),
    l2BytesPerCycle: derived(28 * 100, ini("l2_read_rate of every cube core")),
  },
  launch: vendor(5, "msmodeling: static cost of a matrix operator"),
  energy: energyModel({ memoryByte: 28, watts: 100, rates }),
};
