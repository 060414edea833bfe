/**
 * What no tiling of a product can do without. Each bound is the least work that one part of the machine has, in cycles of the whole chip, all of
 * its like working evenly: none can be undercut, and the largest says what the product is bound by (Williams et al. 2009, the roofline model).
 */
import { globalSpace, type Path, type Profile } from "../../../src/machine/profile.ts";
import {
  matrixCycles,
  matrixRate,
  memoryBytesPerCycle,
  pathBetween,
  pathRate,
} from "../../../src/machine/rates.ts";
import { coresOf } from "../../../src/machine/schedule/cores.ts";
import { evenOffsets } from "../../../src/plan/program/row-blocks.ts";
import { dtypes, type DType } from "../../../src/tensor/dtype.ts";
import { flowOf, type Flow } from "../kernels/matrix/flow.ts";
import { depthOf, groupsOf, matricesOf, sumsOf, widthOf, type GemmSpec } from "../kernels/matrix/spec.ts";
import { castSteps } from "../kernels/vector/tile.ts";

/**
 * - cube: fragments that hold a multiply-add, at the matrix units' rate.
 * - memory: operands read once, of experts those that have rows, and the result written once, at the rate that the memory sustains.
 * - load: operands that groups bring in, each those of its share of the results, dealt out so that they are fewest.
 * - store: sums taken out of the accumulators once each.
 * - vector: what makes results of sums, and of codes weights, element by element.
 */
export type Bounds = {
  readonly cube: number;
  readonly memory: number;
  readonly load: number;
  readonly store: number;
  readonly vector: number;
};
export type Bound = keyof Bounds;

export type LeastWork = {
  readonly bounds: Bounds;
  /** The largest of them. */
  readonly binds: Bound;
  /** Bytes that memory must give and take. */
  readonly bytes: number;
  /** Cycles that no work fills: until the first operand is there, from the last until its result is seen, and what each instruction on its way takes besides. */
  readonly latency: number;
  /** Cycles that the kernel takes at least: the largest bound, and the latency beside it. */
  readonly cycles: number;
};

const bytesOf = (dtype: DType, n: number): number => (n * dtypes[dtype].bits) / 8;

/** Cycles of copies along paths, one after the other, that their bytes do not fill; the first is asked for while others come. */
const waits = (first: Path | undefined, ...rest: readonly (Path | undefined)[]): number =>
  rest.reduce(
    (n, it) => n + (it?.latency?.value ?? 0) + (it?.startup.value ?? 0),
    first?.latency?.value ?? 0,
  );

/** The least work of a product of so many rows; of experts, the rows are dealt out evenly unless `offsets` says otherwise. */
export function leastWork(
  profile: Profile,
  spec: GemmSpec,
  rows: number,
  offsets = evenOffsets(spec.experts ?? 1, rows),
): LeastWork {
  const { matrix, vector, groups, memory } = profile;
  const flow = flowOf(profile, spec);
  const rate = matrixRate(profile, spec.a.dtype, flow.weight);
  const [n, k] = [widthOf(spec), depthOf(spec)];
  const heads = spec.a.heads ?? 1;
  const met = rowsOfMatrices(spec, rows, offsets);
  const matrices = met.length;
  const results = rows * n * heads;
  const weights = matrices * n * k;
  const fragments = rate ? met.reduce((sum, of) => sum + matrixCycles(rate, of, n, k), 0) : Infinity;
  const read = bytesOf(spec.a.dtype, rows * k * heads) + bytesOf(spec.w.dtype, weights) + scaleBytes(spec, matrices, rows); // prettier-ignore
  const bytes = read + bytesOf(spec.out.dtype, results);
  const sustained = memoryBytesPerCycle(profile) * memory.sustained.value;
  const beside = flow.leaves === "vector" && flow.isWhole;
  const [ofSum, ofResult] = [workOfSum(profile, spec), workOfResult(profile, spec)];
  const passes = sumsOf(spec) * passesOf(ofSum) + passesOf(ofResult);
  const out = pathBetween(profile, matrix.c, beside ? vector.space : globalSpace);
  const outType = flow.leaves === "straight" ? spec.out.dtype : flow.acc;
  const vectors = groups.value * (flow.isWhole ? 1 : coresOf(profile, vector.core));
  const [load, fill, take, give] = [
    pathBetween(profile, globalSpace, flow.stage),
    pathBetween(profile, flow.stage, matrix.b),
    pathBetween(profile, globalSpace, vector.space),
    pathBetween(profile, vector.space, globalSpace),
  ];
  const bounds: Bounds = {
    cube: fragments / groups.value,
    memory: bytes / sustained,
    load: load ? broughtIn(flow, spec, met, groups.value) / load.bytesPerCycle.value : 0,
    store: out ? bytesOf(outType, results * sumsOf(spec)) / pathRate(out, outType) / groups.value : 0,
    vector: (4 * (results * passes + weights * passesOf(workOfWeights(profile, spec)))) / vector.bytesPerCycle.value / vectors, // prettier-ignore
  };
  const way = flow.leaves === "straight" ? waits(load, fill, out) : beside ? waits(load, fill, out, give) : waits(load, fill, out, take, give); // prettier-ignore
  const latency = way + matrix.startup.value + (ofSum.length + ofResult.length) * vector.startup.value;
  const entries = Object.entries(bounds) as [Bound, number][]; // entries forgets the keys
  const [binds] = entries.reduce((most, it) => (it[1] > most[1] ? it : most));
  const { memory: moved, ...others } = bounds;
  // Results are written while others are still read, but the last not before all has been.
  const cycles = Math.max(moved, latency + Math.max(...Object.values(others), read / sustained));
  return { bounds, binds, bytes, latency, cycles };
}

/** Whether a product waits for its operands, rather than for what is done with them. */
export const waitsForOperands = ({ binds }: LeastWork): boolean => binds === "memory" || binds === "load";

/**
 * The bytes of operands that a group brings in for its share of the results, where it computes rectangles of them: of one area, that whose sides take as many bytes
 * as each other takes the fewest.
 */
function broughtIn({ weight }: Flow, spec: GemmSpec, met: readonly number[], groups: number): number {
  const [n, k] = [widthOf(spec), depthOf(spec)];
  const [row, column] = [bytesOf(spec.a.dtype, k), bytesOf(weight, k)];
  const results = n * met.reduce((sum, of) => sum + of, 0);
  const ofMatrix = (rows: number): number => {
    const area = Math.min(results / groups, rows * n);
    const high = Math.min(rows, Math.max(area / n, Math.sqrt((area * column) / row)));
    return rows * n * (row / (area / high) + column / high);
  };
  return met.reduce((sum, rows) => sum + ofMatrix(rows), 0) / groups;
}

/** The rows that each matrix meets which meets any. */
export const rowsOfMatrices = (
  spec: GemmSpec,
  rows: number,
  offsets: readonly number[],
): readonly number[] =>
  spec.experts === undefined
    ? Array.from({ length: matricesOf(spec) }, () => rows)
    : offsets.slice(1).flatMap((end, e) => (end > (offsets[e] ?? 0) ? [end - (offsets[e] ?? 0)] : []));

/** Bytes of scales, zero points and bias. */
function scaleBytes(spec: GemmSpec, matrices: number, rows: number): number {
  const { w, bias } = spec;
  const columns = matrices * groupsOf(spec) * widthOf(spec);
  const scales = w.kind === "plain" ? 0 : columns * (w.kind === "coded" && w.zeros ? 2 : 1);
  return 4 * (scales + (w.kind === "integer" ? rows : 0) + (bias ? widthOf(spec) : 0));
}

/** What the vector unit does to sums or codes, instruction by instruction: how often as long as its plainest work each takes. */
type Work = readonly number[];

const passesOf = (work: Work): number => work.reduce((n, it) => n + it, 0);
const repeated = (times: number, factor: number): Work => Array.from({ length: times }, () => factor);

/** What makes each of a result's sums ready to be added up, or to become the result. */
function workOfSum(profile: Profile, spec: GemmSpec): Work {
  const { acc, leaves } = flowOf(profile, spec);
  if (leaves === "straight") return [];
  const { elementwise, convert } = profile.vector.factors;
  const more = (spec.w.kind === "integer" ? 1 : 0) + (sumsOf(spec) > 1 ? 1 : 0);
  return [...repeated(acc === "f32" ? 0 : 1, convert.value), ...repeated(more, elementwise.value)];
}

/** What makes a result of them. */
function workOfResult(profile: Profile, spec: GemmSpec): Work {
  if (flowOf(profile, spec).leaves === "straight") return [];
  const { elementwise, convert } = profile.vector.factors;
  const last = (spec.w.kind === "integer" ? 1 : 0) + (spec.bias ? 1 : 0);
  const casts = spec.out.dtype === "f32" ? 0 : 1 + castSteps(profile, "f32", spec.out.dtype).length;
  return [...repeated(last, elementwise.value), ...repeated(casts, convert.value)];
}

/** What makes weights of codes. */
function workOfWeights(profile: Profile, spec: GemmSpec): Work {
  const { w } = spec;
  const flow = flowOf(profile, spec);
  if (!flow.isMade) return [];
  const { elementwise, convert } = profile.vector.factors;
  if (w.kind !== "coded") return repeated(1 + castSteps(profile, w.dtype, flow.weight).length, convert.value);
  const casts = 1 + castSteps(profile, w.dtype, "f32").length + (flow.weight === "f32" ? 0 : 1 + castSteps(profile, "f32", flow.weight).length); // prettier-ignore
  return [...repeated(casts, convert.value), ...repeated(w.zeros ? 2 : 1, elementwise.value)];
}
