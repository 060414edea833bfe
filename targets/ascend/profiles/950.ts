/**
 * Ascend 950PR as PR_9579 (dav-c310, NpuArch 3510): split cores as on the 910B, but the cube core writes straight into
 * the unified buffer of its vector cores, and they into its L1.
 */
import { derived, measured, model, uncertain, vendor, type Figure } from "../../../src/machine/figure.ts";
import type { Profile } from "../../../src/machine/profile.ts";
import { energyModel, fractal, globalRead, globalWrite, matrixCycles, queueDepth } from "./common.ts";

const KiB = 1024;
const spec = "AscendNPU-IR NPUTargetSpec.td; catlass arch.hpp";
const arch = "asc-devkit, NPU architecture 3510";
const old = "asc-devkit, NPU architecture 2201, taken to hold for 3510";
const ini = (field: string): string => `CANN 950PR_957x.ini, ${field}`;
const fits = "CANN graph engine (hicann/ge), autofuse perf_param_v2, for 3510";
const assumedStart = model(16, "the instruction's own time, assumed");
const rowBytes = vendor(128, `${arch}: align the inner axis to 128 bytes`);
const read = { ...globalRead, latency: vendor(775, `${fits}: pipe head of MTE2 for small copies`), rowBytes };
const write = { ...globalWrite, latency: vendor(571, `${fits}: pipe head of MTE3`), rowBytes };

const onCube = (
  name: string,
  kibibytes: number,
  align: number,
  layouts: Profile["spaces"][number]["layouts"],
) =>
  ({
    name,
    scope: "core",
    core: "cube",
    bytes: vendor(kibibytes * KiB, spec),
    align: uncertain(align, old),
    layouts,
    fractal,
  }) as const;

const conversions = vendor(
  [
    { from: "f32", to: "f16" },
    { from: "f32", to: "bf16" },
    { from: "f32", to: "i8", scale: "channel" },
    { from: "i32", to: "f16", scale: "channel" },
    { from: "i32", to: "i8", scale: "channel" },
  ],
  ini("fix_pipe_pre_conv"),
);

const paths: Profile["paths"] = [
  {
    core: "cube",
    engine: "mte2",
    from: "gm",
    to: "l1",
    bytesPerCycle: vendor(100, ini("AICoreMemoryRates, l2_read_rate")),
    ...read,
    layouts: [["nd", "nz"], ["nz", "nz"], ["nd", "nd"]],
  },
  {
    core: "cube",
    engine: "mte1",
    from: "l1",
    to: "l0a",
    bytesPerCycle: vendor(256, ini("l1_to_l0_a_rate")),
    startup: assumedStart,
    layouts: [["nz", "nz"]],
  },
  {
    core: "cube",
    engine: "mte1",
    from: "l1",
    to: "l0b",
    bytesPerCycle: vendor(256, ini("l1_to_l0_b_rate")),
    startup: assumedStart,
    layouts: [["nz", "zn"]],
  },
  {
    core: "cube",
    engine: "fix",
    from: "l0c",
    to: "gm",
    bytesPerCycle: derived(100, ini("l2_write_rate: less than the 128 of FixPipe to the unified buffer")),
    startup: model(32, "the instruction's own time, assumed"),
    latency: write.latency,
    rowBytes,
    layouts: [["nz", "nd"], ["nz", "nz"]],
    converts: conversions,
  },
  {
    core: "cube",
    engine: "fix",
    from: "l0c",
    to: "ub",
    bytesPerCycle: vendor(128, ini("l0_c_to_ub_rate")),
    startup: model(32, "the instruction's own time, assumed"),
    layouts: [["nz", "nd"], ["nz", "nz"]],
    converts: conversions,
  },
  {
    core: "cube",
    engine: "fix",
    from: "l0c",
    to: "l1",
    bytesPerCycle: uncertain(128, ini("l0_c_to_ub_rate, taken to hold for L1 too")),
    startup: model(32, "the instruction's own time, assumed"),
    layouts: [["nz", "nz"]],
    converts: conversions,
  },
  {
    core: "vector",
    engine: "mte2",
    from: "gm",
    to: "ub",
    bytesPerCycle: vendor(100, ini("VectorCoreMemoryRates, l2_read_rate")),
    ...read,
    layouts: [["nd", "nd"], ["nz", "nz"]],
  },
  {
    core: "vector",
    engine: "mte3",
    from: "ub",
    to: "gm",
    bytesPerCycle: vendor(42, ini("VectorCoreMemoryRates, ub_to_l2_rate")),
    ...write,
    layouts: [["nd", "nd"], ["nz", "nz"]],
  },
  {
    core: "vector",
    engine: "mte3",
    from: "ub",
    to: "l1",
    bytesPerCycle: vendor(128, ini("AICoreMemoryRates, ub_to_l1_rate")),
    startup: assumedStart,
    layouts: [["nd", "nz"], ["nz", "nz"]],
  },
]; // prettier-ignore

const eightBits = "asc-devkit 3510 and DtypeMKN: 16 x 32 x 16 for 8 bits, one fragment a cycle";
const rates: Profile["matrix"]["rates"] = [
  { a: "f16", b: "f16", acc: "f32", m: 16, n: 16, k: 16, cycles: matrixCycles(1) },
  { a: "bf16", b: "bf16", acc: "f32", m: 16, n: 16, k: 16, cycles: matrixCycles(1) },
  { a: "i8", b: "i8", acc: "i32", m: 16, n: 16, k: 32, cycles: matrixCycles(1) },
  { a: "f8e4m3", b: "f8e4m3", acc: "f32", m: 16, n: 16, k: 32, cycles: vendor(1, eightBits) },
  { a: "f8e5m2", b: "f8e5m2", acc: "f32", m: 16, n: 16, k: 32, cycles: vendor(1, eightBits) },
  {
    a: "f4e2m1",
    b: "f4e2m1",
    acc: "f32",
    m: 16,
    n: 16,
    k: 64,
    cycles: uncertain(1, "Huawei Connect 2025: MXFP4 at twice the rate of FP8"),
  },
  {
    a: "f32",
    b: "f32",
    acc: "f32",
    m: 16,
    n: 16,
    k: 8,
    cycles: uncertain(2, "as on 2201; DtypeMKN has 16 x 8 x 16, and no rate is published"),
  },
];

const fitted = (value: number, of: string): Figure => vendor(value, `${fits}: ${of}`);
const vector: Profile["vector"] = {
  core: "vector",
  engine: "vec",
  space: "ub",
  bytesPerCycle: vendor(256, ini("vector_reg_width: one register a cycle")),
  startup: fitted(20, "head of a vector function"),
  dtypes: vendor(["f32", "f16", "bf16", "i32", "i16", "i8"], `${fits}: Add; Intrinsic_vectorized_vadd`),
  converts: vendor(
    [
      { from: "f16", to: "f32" },
      { from: "f32", to: "f16" },
      { from: "bf16", to: "f32" },
      { from: "f32", to: "bf16" },
      { from: "bf16", to: "i32" },
      { from: "f32", to: "i64" },
      { from: "f32", to: "i32" },
      { from: "f32", to: "i16" },
      { from: "f16", to: "i32" },
      { from: "f16", to: "i16" },
      { from: "f16", to: "i8" },
      { from: "f16", to: "u8" },
      { from: "i8", to: "f16" },
      { from: "u8", to: "f16" },
      { from: "i16", to: "f16" },
      { from: "i16", to: "f32" },
      { from: "i32", to: "f32" },
      { from: "i32", to: "f16" },
      { from: "i32", to: "i64" },
      { from: "i32", to: "i16" },
      { from: "i64", to: "i32" },
      { from: "i64", to: "f32" },
    ],
    ini("Intrinsic_vconv"),
  ),
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
  cores: [
    { name: "cube", perGroup: vendor(1, arch) },
    { name: "vector", perGroup: vendor(2, arch) },
  ],
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
    {
      ...onCube("l0c", 256, 512, ["nz"]),
      fractal: { rows: fractal.rows, rowBytes: vendor(64, `${arch}: 16 x 16 accumulators of 4 bytes`) },
    },
    {
      name: "ub",
      scope: "core",
      core: "vector",
      bytes: vendor(256 * KiB, spec),
      reserved: vendor(8 * KiB, `${spec}: the compiler keeps 8 KiB`),
      align: uncertain(32, old),
      layouts: ["nd", "nz"],
      fractal,
      banks: { groups: vendor(8, arch), perGroup: vendor(2, arch), bytes: vendor(16 * KiB, arch) },
    },
  ],
  engines: [
    { name: "mte2", core: "cube" },
    { name: "mte1", core: "cube", queue: queueDepth },
    { name: "cube", core: "cube", queue: queueDepth },
    { name: "fix", core: "cube" },
    { name: "scalar", core: "cube" },
    { name: "mte2", core: "vector" },
    { name: "vec", core: "vector" },
    { name: "mte3", core: "vector" },
    { name: "scalar", core: "vector" },
  ],
  paths,
  matrix: { core: "cube", engine: "cube", a: "l0a", b: "l0b", c: "l0c", rates, startup: assumedStart },
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
