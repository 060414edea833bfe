/** What the Ascend chips have in common. */
import { conversions, engines } from "../../../src/machine/declare.ts";
import { derived, model, uncertain, vendor, type Figure } from "../../../src/support/figure.ts";
import type { Profile } from "../../../src/machine/profile.ts";

/** M0 = 16 rows of C0 = 32 bytes: 16 numbers of 16 bits, 32 of 8, 64 of 4. */
export const fractal = {
  rows: vendor(16, "asc-devkit, data layout formats"),
  rowBytes: vendor(32, "asc-devkit, data layout formats"),
};

/** L0C holds blocks of 16 x 16 accumulators, whatever the operands. */
export const accumulators = {
  rows: fractal.rows,
  rowBytes: vendor(64, "asc-devkit, data layout formats: 16 x 16 accumulators of 4 bytes"),
};

const queueDepth: Figure = vendor(32, "asc-devkit, issue queues of MTE1 and the cube");

const largeCopies = "asc-devkit, hardware constraints 2201: 16 KiB or more reach the best rate";
/** CANN's own linear models of each vector instruction and copy, fitted to A2: cycles = k * elements + b. */
const fits = "CANN graph engine (hicann/ge), autofuse perf_param_v1, a fit for A2";

export const writeLatency: Figure = vendor(497, `${fits}: pipe head of MTE3`);

/** How copies from and to global memory come near their rate. */
const efficient = {
  efficientBytes: vendor(16384, largeCopies),
  rowBytes: vendor(512, "asc-devkit, hardware constraints 2201: align the inner axis to 512 bytes"),
  pieceBytes: vendor(128, "asc-devkit, hardware constraints 2201: copies are cut into 128, 256 or 512 bytes"),
} as const;
export const globalRead = {
  startup: vendor(27, `${fits}: head of Load`),
  latency: vendor(882, `${fits}: pipe head of MTE2 for small copies, besides 16 cycles a block`),
  ...efficient,
} as const;
export const globalWrite = {
  startup: vendor(12, `${fits}: head of Store`),
  latency: writeLatency,
  ...efficient,
} as const;

export const instructionTime: Figure = model(16, "the instruction's own time, assumed");
export const storeTime: Figure = model(32, "the instruction's own time, assumed");

const queues = { mte1: queueDepth, cube: queueDepth };
export const fusedEngines = engines("ai", ["mte2", "mte1", "cube", "vec", "mte3", "scalar"], queues);
export const splitEngines = [
  ...engines("cube", ["mte2", "mte1", "cube", "fix", "scalar"], queues),
  ...engines("vector", ["mte2", "vec", "mte3", "scalar"]),
];
export const splitCores = (source: string): Profile["cores"] => [
  { name: "cube", perGroup: vendor(1, source) },
  { name: "vector", perGroup: vendor(2, source) },
];

/** Changes of dtype that the vector unit makes on 2201 and 3510 alike. */
export const castings = conversions(
  ["f16", "f32"],
  ["f32", "f16"],
  ["bf16", "f32"],
  ["f32", "bf16"],
  ["bf16", "i32"],
  ["f32", "i64"],
  ["f32", "i32"],
  ["f32", "i16"],
  ["f16", "i32"],
  ["f16", "i16"],
  ["f16", "i8"],
  ["f16", "u8"],
  ["i8", "f16"],
  ["u8", "f16"],
  ["i16", "f16"],
  ["i16", "f32"],
  ["i32", "f32"],
  ["i32", "f16"],
  ["i32", "i64"],
  ["i32", "i16"],
  ["i64", "i32"],
  ["i64", "f32"],
);

/** Cycles of a fragment, by the rule that gives every vendor figure of 16-bit and 8-bit peaks. */
export const matrixCycles = (cycles: number): Figure =>
  vendor(cycles, "CANN platform configuration, cube_m/n/k_size and DtypeMKN: one fragment a cycle");

export const vectorStartup: Figure = vendor(22, `${fits}: b of Add and Adds`);

export const factors: Profile["vector"]["factors"] = {
  elementwise: derived(1.3, `${fits}: Add of two operands, 0.0206 cycles an f32; with a scalar it is 0.9`),
  convert: derived(1, `${fits}: Cast of f16 to f32, 0.0147 cycles an element`),
  divide: derived(2.9, `${fits}: Div, 0.0454 cycles an f32; Sqrt 2.0, Rsqrt 0.9`),
  transcendental: derived(2, `${fits}: Exp, 0.0307 cycles an f32; f16 takes 4`),
  reduce: derived(2, `${fits}: additions of halves, 1.3, and one WholeReduceSum, 7, at the end of 8 steps`),
  gather: derived(12, `${fits}: Gather, 0.1875 cycles an f32`),
  sort: uncertain(6, "pto-isa cost model of A2 and A3, vmrgsort4"),
};

const guess =
  "a model of 7 nm logic and HBM2E, scaled so that full load stays below the board's power; no figure is published";
const picojoules = (value: number): Figure => model(value, guess);

/** Picojoules of one multiply-add. */
const macs = {
  f32: 3,
  f16: 0.8,
  bf16: 0.8,
  i8: 0.3,
  f8e4m3: 0.4,
  f8e5m2: 0.4,
  i4: 0.15,
  f4e2m1: 0.2,
} as const;
const hasMac = (dtype: string): dtype is keyof typeof macs => Object.hasOwn(macs, dtype);

type EnergyOfChip = {
  /** Picojoules of one byte of its memory. */
  readonly memoryByte: number;
  /** What it draws at rest. */
  readonly watts: number;
  readonly rates: Profile["matrix"]["rates"];
};

export const energyModel = ({ memoryByte, watts, rates }: EnergyOfChip): Profile["energy"] => ({
  macs: rates.flatMap(({ a: dtype }) =>
    hasMac(dtype) ? [{ dtype, picojoules: picojoules(macs[dtype]) }] : [],
  ),
  accesses: [
    { space: "gm", picojoules: picojoules(memoryByte) },
    { space: "l1", picojoules: picojoules(1) },
    { space: "l0a", picojoules: picojoules(0.3) },
    { space: "l0b", picojoules: picojoules(0.3) },
    { space: "l0c", picojoules: picojoules(0.3) },
    { space: "ub", picojoules: picojoules(0.8) },
  ],
  l2: picojoules(6),
  vectorByte: picojoules(1.5),
  watts: model(watts, guess),
});
