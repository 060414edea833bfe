/**
 * The split core of Ascend 910B and 910C (dav-c220, NpuArch 2201): a group is one cube core (AIC) and two vector cores
 * (AIV), which meet only in global memory.
 */
import { derived, measured, model, vendor, type Figure } from "../../../src/machine/figure.ts";
import type { Profile } from "../../../src/machine/profile.ts";
import {
  energyModel,
  fractal,
  globalRead,
  globalWrite,
  matrixCycles,
  queueDepth,
  vectorStartup,
  writeLatency,
  factors,
} from "./common.ts";

const KiB = 1024;
const spec = "AscendNPU-IR NPUTargetSpec.td; catlass arch.hpp";
const arch = "asc-devkit, NPU architecture 2201";
const ini = "CANN 8.1 platform configuration of every 910B and 910_93, AICoreMemoryRates";
const costs = "pto-isa cost model of A2 and A3, at 1.85 GHz";
const reserve =
  "CANN API: the size it reports is so much below the capacity (atlas_ascendc_10_0009, 10_0011)";

/** What differs between the chips of this core. */
export type C220Chip = {
  readonly name: string;
  readonly summary: string;
  readonly clock: Figure;
  readonly groups: Figure;
  readonly l2Bytes: Figure;
  readonly capacity: Figure;
  readonly bytesPerSecond: Figure;
};

const spaces: Profile["spaces"] = [
  {
    name: "l1",
    scope: "core",
    core: "cube",
    bytes: vendor(512 * KiB, spec),
    reserved: vendor(512, reserve),
    align: vendor(32, arch),
    layouts: ["nz", "nd"],
    fractal,
  },
  {
    name: "l0a",
    scope: "core",
    core: "cube",
    bytes: vendor(64 * KiB, spec),
    align: vendor(512, arch),
    layouts: ["zz"],
    fractal,
  },
  {
    name: "l0b",
    scope: "core",
    core: "cube",
    bytes: vendor(64 * KiB, spec),
    align: vendor(512, arch),
    layouts: ["zn"],
    fractal,
  },
  {
    name: "l0c",
    scope: "core",
    core: "cube",
    bytes: vendor(128 * KiB, spec),
    align: vendor(512, "NPUTargetSpec.td, for allocation; the architecture page says 64"),
    layouts: ["nz"],
    fractal: { rows: vendor(16, arch), rowBytes: vendor(64, `${arch}: 16 x 16 accumulators of 4 bytes`) },
  },
  {
    name: "ub",
    scope: "core",
    core: "vector",
    bytes: vendor(192 * KiB, spec),
    reserved: vendor(8 * KiB, reserve),
    align: vendor(32, arch),
    layouts: ["nd", "nz"],
    fractal,
    banks: { groups: vendor(16, arch), perGroup: vendor(3, arch), bytes: vendor(4 * KiB, arch) },
  },
];

const engines: Profile["engines"] = [
  { name: "mte2", core: "cube" },
  { name: "mte1", core: "cube", queue: queueDepth },
  { name: "cube", core: "cube", queue: queueDepth },
  { name: "fix", core: "cube" },
  { name: "scalar", core: "cube" },
  { name: "mte2", core: "vector" },
  { name: "vec", core: "vector" },
  { name: "mte3", core: "vector" },
  { name: "scalar", core: "vector" },
];

const paths: Profile["paths"] = [
  {
    core: "cube",
    engine: "mte2",
    from: "gm",
    to: "l1",
    bytesPerCycle: vendor(
      110,
      `${ini}, l2_read_rate: all of global memory is read through the L2 (pto-isa's cost model counts with 78)`,
    ),
    ...globalRead,
    layouts: [["nd", "nz"], ["nz", "nz"], ["nd", "nd"]],
  },
  {
    core: "cube",
    engine: "mte1",
    from: "l1",
    to: "l0a",
    bytesPerCycle: vendor(512, `${ini}, l1_to_l0_a_rate (pto-isa counts with half of it)`),
    startup: model(16, "the instruction's own time, assumed"),
    layouts: [["nz", "zz"]],
  },
  {
    core: "cube",
    engine: "mte1",
    from: "l1",
    to: "l0b",
    bytesPerCycle: vendor(256, `${ini}, l1_to_l0_b_rate (pto-isa counts with half of it)`),
    startup: model(16, "the instruction's own time, assumed"),
    layouts: [["nz", "zn"]],
  },
  {
    core: "cube",
    engine: "fix",
    from: "l0c",
    to: "gm",
    bytesPerCycle: vendor(40.6, `${costs}: 70 GiB/s; the write port of the L2 takes 86 bytes a cycle`),
    startup: model(32, "the instruction's own time, assumed"),
    latency: writeLatency,
    rowBytes: vendor(512, arch),
    layouts: [["nz", "nd"], ["nz", "nz"]],
    converts: vendor(
      [
        { from: "f32", to: "f16" },
        { from: "f32", to: "bf16" },
        { from: "f32", to: "i8", scale: "channel" },
        { from: "f32", to: "i4", scale: "channel" },
        { from: "i32", to: "f16", scale: "channel" },
        { from: "i32", to: "i8", scale: "channel" },
        { from: "i32", to: "i4", scale: "channel" },
        { from: "i32", to: "i16", scale: "channel" },
      ],
      `${arch}, FixPipe, and ${ini.replace("AICoreMemoryRates", "fix_pipe_pre_conv")}: nothing turns i32 into bf16`,
    ),
  },
  {
    core: "cube",
    engine: "fix",
    from: "l0c",
    to: "l1",
    bytesPerCycle: vendor(74.3, `${costs}: 128 GiB/s`),
    startup: model(32, "the instruction's own time, assumed"),
    layouts: [["nz", "nz"]],
    converts: vendor(
      [
        { from: "f32", to: "f16" },
        { from: "f32", to: "bf16" },
        { from: "f32", to: "i8", scale: "channel" },
        { from: "i32", to: "f16", scale: "channel" },
        { from: "i32", to: "i8", scale: "channel" },
      ],
      `${arch}, FixPipe`,
    ),
  },
  {
    core: "vector",
    engine: "mte2",
    from: "gm",
    to: "ub",
    bytesPerCycle: vendor(58.6, `${costs}: 100.9 GiB/s`),
    ...globalRead,
    layouts: [["nd", "nd"], ["nz", "nz"]],
  },
  {
    core: "vector",
    engine: "mte3",
    from: "ub",
    to: "gm",
    bytesPerCycle: vendor(64, `${ini}, ub_to_l2_rate and ub_to_ddr_rate`),
    ...globalWrite,
    layouts: [["nd", "nd"], ["nz", "nz"]],
  },
]; // prettier-ignore

const matrix: Profile["matrix"] = {
  core: "cube",
  engine: "cube",
  a: "l0a",
  b: "l0b",
  c: "l0c",
  rates: [
    { a: "f16", b: "f16", acc: "f32", m: 16, n: 16, k: 16, cycles: matrixCycles(1) },
    { a: "bf16", b: "bf16", acc: "f32", m: 16, n: 16, k: 16, cycles: matrixCycles(1) },
    { a: "i8", b: "i8", acc: "i32", m: 16, n: 16, k: 32, cycles: matrixCycles(1) },
    { a: "i4", b: "i4", acc: "i32", m: 16, n: 16, k: 64, cycles: matrixCycles(1) },
    {
      a: "f32",
      b: "f32",
      acc: "f32",
      m: 16,
      n: 16,
      k: 8,
      cycles: vendor(2, `${costs}: two cycles a fragment of f32`),
    },
  ],
  startup: model(16, "the instruction's own time, assumed"),
};

const vector: Profile["vector"] = {
  core: "vector",
  engine: "vec",
  space: "ub",
  bytesPerCycle: vendor(256, "CANN 8.5 best practices: 128 additions of f16 a cycle and vector core"),
  startup: vectorStartup,
  dtypes: vendor(
    ["f32", "f16", "i32", "i16"],
    "CANN 8.1 platform configuration, Intrinsic_vadd and vmul: bf16 and i8 are only converted",
  ),
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
      { from: "f16", to: "i4" },
      { from: "i4", to: "f16" },
      { from: "i8", to: "f16" },
      { from: "u8", to: "f16" },
      { from: "i16", to: "f16" },
      { from: "i16", to: "f32" },
      { from: "i16", to: "i8" },
      { from: "i32", to: "f32" },
      { from: "i32", to: "f16" },
      { from: "i32", to: "i64" },
      { from: "i32", to: "i16" },
      { from: "i64", to: "i32" },
      { from: "i64", to: "f32" },
    ],
    "CANN 8.1 platform configuration, Intrinsic_vconv; i4 by the API page of Cast",
  ),
  factors,
};

/** The profile of one chip of this core. */
export const c220 = (chip: C220Chip): Profile => ({
  name: chip.name,
  summary: chip.summary,
  vendor: "Huawei",
  clock: chip.clock,
  groups: chip.groups,
  cores: [
    { name: "cube", perGroup: vendor(1, arch) },
    { name: "vector", perGroup: vendor(2, arch) },
  ],
  spaces: [
    {
      name: "gm",
      scope: "chip",
      bytes: chip.capacity,
      align: vendor(32, arch),
      layouts: ["nd", "nz"],
      fractal,
    },
    ...spaces,
  ],
  engines,
  paths,
  matrix,
  vector,
  flags: {
    perPair: vendor(8, arch),
    reserved: vendor(2, `${arch}: events 6 and 7`),
    cross: { count: vendor(11, `${arch}: flags 0 to 10`), counterMax: vendor(15, arch) },
  },
  memory: {
    capacity: chip.capacity,
    bytesPerSecond: chip.bytesPerSecond,
    sustained: measured(
      0.9,
      "catlass, matmul optimization: 202 MB in 139.6 us (M 20, N 6144, K 16384), 1.45 TB/s of a nominal 1.6; 0.79 on an A2 that copies 256 MiB",
    ),
    l2Bytes: chip.l2Bytes,
    l2BytesPerCycle: derived(110 * chip.groups.value, `${ini}: l2_read_rate of every cube core`),
  },
  launch: vendor(5, "msmodeling: static cost of a matrix operator"),
  energy: energyModel({ memoryByte: 32, watts: 90, rates: matrix.rates }),
});
