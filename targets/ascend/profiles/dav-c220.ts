/**
 * The split core of Ascend 910B and 910C (dav-c220, NpuArch 2201): a group is one cube core (AIC) and two vector cores
 * (AIV), which meet only in global memory.
 */
import { conversions, copy, fragment, inCore, scaledConversions } from "../../../src/machine/declare.ts";
import { derived, measured, vendor, type Figure } from "../../../src/support/figure.ts";
import type { Profile } from "../../../src/machine/profile.ts";
import {
  accumulators,
  castings,
  energyModel,
  factors,
  fractal,
  globalRead,
  globalWrite,
  matrixCycles,
  splitCores,
  splitEngines,
  storeTime,
  vectorStartup,
  writeLatency,
} from "./common.ts";

const KiB = 1024;
const spec = "AscendNPU-IR NPUTargetSpec.td; catlass arch.hpp";
const arch = "asc-devkit, NPU architecture 2201";
const platform = "CANN 8.1 platform configuration of every 910B and 910_93";
const ini = `${platform}, AICoreMemoryRates`;
const costs = "pto-isa cost model of A2 and A3, at 1.85 GHz";
const reserve =
  "CANN API: the size it reports is so much below the capacity (atlas_ascendc_10_0009, 10_0011)";

/** What one matrix instruction takes besides its fragments. */
const cubeStartup = measured(
  11,
  "asc-devkit, best practices on A2: the cube takes 1.8 % (f16, 128 x 256 x 64) and 2.5 % (int8, 128 x 256 x 128) longer than its 512 fragments",
);

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

/** Of a 910B1, reads and writes together. */
const [l2Bytes, l2BytesPerSecond] = [192 * 1024 * KiB, 8.0e12];

const operandSpace = { align: vendor(512, arch), fractal };
const spaces: Profile["spaces"] = [
  inCore("cube", "l1", vendor(512 * KiB, spec), {
    reserved: vendor(512, reserve),
    align: vendor(32, arch),
    layouts: ["nz", "nd"],
    fractal,
  }),
  inCore("cube", "l0a", vendor(64 * KiB, spec), { ...operandSpace, layouts: ["zz"] }),
  inCore("cube", "l0b", vendor(64 * KiB, spec), { ...operandSpace, layouts: ["zn"] }),
  inCore("cube", "l0c", vendor(128 * KiB, spec), {
    align: vendor(512, "NPUTargetSpec.td, for allocation; the architecture page says 64"),
    layouts: ["nz"],
    fractal: accumulators,
  }),
  inCore("vector", "ub", vendor(192 * KiB, spec), {
    reserved: vendor(8 * KiB, reserve),
    align: vendor(32, arch),
    layouts: ["nd", "nz"],
    fractal,
    banks: { groups: vendor(16, arch), perGroup: vendor(3, arch), bytes: vendor(4 * KiB, arch) },
  }),
];

const copies = "asc-devkit, best practices of DataCopy, A2 with 24 cores at 1.85 GHz";
const read = {
  ...globalRead,
  startup: derived(
    18.4,
    `fitted on ${copies}: 301.99 MB in 49152 copies of 128 bytes a vector core, 548.2 us of MTE2`,
  ),
};
const loads =
  "asc-devkit, tests/perf/load_data_perf, as pto-isa; the platform configuration has twice as much, and kernels measured (asc-devkit, matmul best practices: MTE1 takes 0.82 of the cube's time) need this";
const fixPipe = `${arch}, FixPipe, and ${platform}, fix_pipe_pre_conv: nothing turns i32 into bf16`;
const paths: Profile["paths"] = [
  copy(
    ["cube", "mte2"],
    ["gm", "l1"],
    vendor(
      110,
      `${ini}, l2_read_rate: all of global memory is read through the L2 (pto-isa's cost model counts with 78)`,
    ),
    {
      ...read,
      rearranging: {
        rowCycles: derived(
          5.05,
          `fitted on ${copies}: 301.99 MB in tiles of 64 rows of 128 bytes, 283.5 us of MTE2`,
        ),
        coreBytesPerCycle: derived(
          47,
          "fitted on catlass, matmul optimization: 6 cores (M 1, N 768, K 5120, f32, 128 x 128 x 256) take 36.3 us",
        ),
      },
      layouts: [["nd", "nz"], ["nz", "nz"], ["nd", "nd"]],
    },
  ),
  copy(["cube", "mte1"], ["l1", "l0a"], vendor(256, loads), {
    startup: vendor(28, loads),
    layouts: [["nz", "zz"]],
  }),
  copy(["cube", "mte1"], ["l1", "l0b"], vendor(128, loads), {
    startup: vendor(28, loads),
    layouts: [["nz", "zn"]],
  }),
  copy(
    ["cube", "fix"],
    ["l0c", "gm"],
    vendor(86, `${ini}, l2_write_rate: all of global memory is written through the L2`),
    {
      elementsPerCycle: measured(
        19.9,
        `vTriton, perfbound calibration: 143.5 GB/s of f32 on a 910B3, 30 runs; the 70 GiB/s of the ${costs}, are of bf16 results: 20.3`,
      ),
      startup: storeTime,
      latency: writeLatency,
      rowBytes: vendor(512, arch),
      pieceBytes: globalWrite.pieceBytes,
      layouts: [["nz", "nd"], ["nz", "nz"]],
      converts: vendor(
        [
          ...conversions(["f32", "f16"], ["f32", "bf16"]),
          ...scaledConversions(["f32", "i8"], ["f32", "i4"]),
          ...scaledConversions(["i32", "f16"], ["i32", "i8"], ["i32", "i4"], ["i32", "i16"]),
        ],
        fixPipe,
      ),
    },
  ),
  copy(["cube", "fix"], ["l0c", "l1"], vendor(74.3, `${costs}: 128 GiB/s`), {
    startup: storeTime,
    layouts: [["nz", "nz"]],
    converts: vendor(
      [
        ...conversions(["f32", "f16"], ["f32", "bf16"]),
        ...scaledConversions(["f32", "i8"], ["i32", "f16"], ["i32", "i8"]),
      ],
      `${arch}, FixPipe`,
    ),
  }),
  copy(["vector", "mte2"], ["gm", "ub"], vendor(58.6, `${costs}: 100.9 GiB/s`), {
    ...read,
    layouts: [["nd", "nd"], ["nz", "nz"]],
  }),
  copy(
    ["vector", "mte3"],
    ["ub", "gm"],
    vendor(64, `${ini}, ub_to_l2_rate and ub_to_ddr_rate`),
    { ...globalWrite, layouts: [["nd", "nd"], ["nz", "nz"]] },
  ),
]; // prettier-ignore

const rates: Profile["matrix"]["rates"] = [
  fragment("f16", "f32", [16, 16, 16], matrixCycles(1)),
  fragment("bf16", "f32", [16, 16, 16], matrixCycles(1)),
  fragment("i8", "i32", [16, 16, 32], matrixCycles(1)),
  fragment("i4", "i32", [16, 16, 64], matrixCycles(1)),
  fragment("f32", "f32", [16, 16, 8], vendor(2, `${costs}: two cycles a fragment of f32`)),
];

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
    [...castings, ...conversions(["i16", "i8"], ["f16", "i4"], ["i4", "f16"])],
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
  cores: splitCores(arch),
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
  engines: splitEngines,
  paths,
  matrix: { core: "cube", engine: "cube", a: "l0a", b: "l0b", c: "l0c", rates, startup: cubeStartup },
  vector,
  flags: {
    perPair: vendor(8, arch),
    reserved: vendor(2, `${arch}: events 6 and 7`),
    cross: { count: vendor(11, `${arch}: flags 0 to 10`), counterMax: vendor(15, arch) },
  },
  memory: {
    capacity: chip.capacity,
    bytesPerSecond: chip.bytesPerSecond,
    sustained: derived(
      0.93,
      `${copies}: 301.99 MB to the vector cores in 202.7 us, 1.49 TB/s of a nominal 1.6 (vTriton measures 1.54 on 20 cores of a 910B3)`,
    ),
    coreBytesPerCycle: vendor(
      78,
      `${costs}, gm to l1; vTriton measures 141 GB/s, 78, on one core of a 910B3`,
    ),
    l2Bytes: chip.l2Bytes,
    l2BytesPerCycle: derived(
      (l2BytesPerSecond / (chip.clock.value * 1e6)) * (chip.l2Bytes.value / l2Bytes),
      "msprof's ceiling of the L2 on a 910B1, 8.0 TB/s of its 192 MiB; asc-devkit's best practices of DataCopy read there at 6 TB/s",
    ),
  },
  launch: vendor(5, "msmodeling: static cost of a matrix operator"),
  energy: energyModel({ memoryByte: 32, watts: 90, rates }),
});
