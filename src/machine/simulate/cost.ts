/** How long single instructions keep their engine, in cycles of the cores' clock. */
import { dtypes, type DType } from "../../tensor/dtype.ts";
import { globalSpace, type Path, type Profile } from "../profile.ts";
import { matrixCycles as fragmentCycles, matrixRate, roomOf } from "../rates.ts";
import { constantOf } from "../schedule/expr.ts";
import { factsOfVector } from "../schedule/vector-ops.ts";
import type { Instruction, Place } from "../schedule/walk.ts";

export const spaceOf = (place: Place): string =>
  place.box.kind === "tensor" ? globalSpace : place.box.decl.space;
export const dtypeOf = (place: Place): DType => place.box.decl.dtype;
export function elementsOf({ size }: Place): number {
  let n = 1;
  for (const d of size) n *= d;
  return n;
}
export const bytesOf = (place: Place): number => (elementsOf(place) * dtypes[dtypeOf(place)].bits) / 8;

/** A copy's path, and the bytes that it moves there: those of global memory where that is one end. */
export type Transfer = {
  readonly from: string;
  readonly to: string;
  readonly bytes: number;
  /** What the path is occupied by, rows rounded up to what it moves at once. */
  readonly occupied: number;
  readonly bytesPerCycle: number;
  readonly startup: number;
  /** Cycles that its rows, and its elements, take at least, however few bytes they are. */
  readonly least: number;
  /** What the core gets of the chip's memory at most. */
  readonly memoryBytesPerCycle: number;
  /** Cycles until what was asked for is there, which later copies overlap. */
  readonly latency: number;
  /** The end in global memory. */
  readonly global: Place | undefined;
};

/** Elements of a box that lie together: its last axis, and those before as long as what follows is whole. */
function together({ box, size }: Place): number {
  let run = size.at(-1) ?? 1;
  if (box.kind === "buffer" || box.decl.strides) return run;
  for (let axis = size.length - 2; axis >= 0; axis--) {
    const whole = box.decl.dims[axis + 1];
    if (!whole || constantOf(whole) !== size[axis + 1]) break;
    run *= size[axis] ?? 1;
  }
  return run;
}

/** Bytes of a path's time that a box takes, run by run. */
function occupied(place: Place, path: Path, profile: Profile): number {
  const { box } = place;
  const bytes = bytesOf(place);
  if (box.kind === "buffer") return bytes;
  const run = box.decl.fractal
    ? ofFractals(place, profile)
    : (together(place) * dtypes[box.decl.dtype].bits) / 8;
  return run === undefined ? bytes : (bytes / run) * roomOf(path, run);
}

/** Bytes of a box that lie together in fractals: of fewer rows than a fractal has, so many of its rows; higher ones are not cut. */
function ofFractals({ size }: Place, profile: Profile): number | undefined {
  const { fractal } = profile.spaces.find((it) => it.name === globalSpace) ?? {};
  const rows = size.at(-2) ?? 1;
  return fractal && rows < fractal.rows.value ? rows * fractal.rowBytes.value : undefined;
}

const rowsOf = (place: Place): number => elementsOf(place) / (place.size.at(-1) ?? 1);

/** Whether a box lies row by row, in global memory: what the matrix unit takes it must be brought into fractals first. */
const isByRows = ({ box }: Place): boolean => box.kind === "tensor" && !box.decl.fractal;

/** What a copy moves; undefined for other instructions. */
export function transferOf({ operation, places }: Instruction, profile: Profile): Transfer | undefined {
  const { path } = operation;
  const [source, target] = places;
  if (!path || !source || !target) return undefined;
  const { from, to } = path;
  const global = from === globalSpace ? source : to === globalSpace ? target : undefined;
  const counted = global ?? source;
  const rearranging = isByRows(source) ? path.rearranging : undefined;
  return {
    from,
    to,
    bytes: bytesOf(counted),
    occupied: global ? occupied(global, path, profile) : bytesOf(source),
    bytesPerCycle: path.bytesPerCycle.value,
    startup: path.startup.value,
    least: Math.max(
      (rearranging?.rowCycles.value ?? 0) * rowsOf(source),
      elementsOf(source) / (path.elementsPerCycle?.value ?? Infinity),
    ),
    memoryBytesPerCycle: rearranging?.coreBytesPerCycle?.value ?? Infinity,
    latency: path.latency?.value ?? 0,
    global,
  };
}

/** Multiply-adds of an instruction, whole fragments counted, and the cycles they take. */
export function matrixCycles(
  { places }: Instruction,
  profile: Profile,
): { readonly macs: number; readonly cycles: number } {
  const [a, b] = places;
  if (!a || !b) return { macs: 0, cycles: 0 };
  const rate = matrixRate(profile, dtypeOf(a), dtypeOf(b));
  const k = a.size.at(-1) ?? 1;
  const [m, n] = [elementsOf(a) / k, elementsOf(b) / (b.size.at(-1) ?? 1)];
  if (!rate) return { macs: m * n * k, cycles: Infinity };
  return { macs: m * n * k, cycles: profile.matrix.startup.value + fragmentCycles(rate, m, n, k) };
}

/** Cycles of vector work, by its largest box, or its smallest where it touches only so much: boxes that fill their buffer's rows are one run, others take a pass a row at least. */
export function vectorCycles({ operation, places, values }: Instruction, profile: Profile): number {
  const { stmt } = operation;
  if (stmt.kind !== "vector") return 0;
  const facts = factsOfVector(stmt.op);
  const sign = facts.isSparse ? -1 : 1;
  let [widest, elements, bytes]: [Place | undefined, number, number] = [undefined, 0, 0];
  for (const it of places) {
    const own = elementsOf(it);
    if (!widest || sign * (own - elements) > 0) [widest, elements] = [it, own];
    bytes = Math.max(bytes, dtypes[dtypeOf(it)].bits / 8);
  }
  if (!widest) return 0;
  const cols = widest.size.at(-1) ?? 1;
  const rows = elements / cols;
  const rate = profile.vector.bytesPerCycle.value;
  const isWhole = widest.box.kind === "buffer" && widest.box.decl.cols === cols;
  const passes = isWhole ? (rows * cols * bytes) / rate : rows * Math.ceil((cols * bytes) / rate);
  const times = facts.passes?.(values[0] ?? 1) ?? 1;
  return profile.vector.startup.value + times * passes * profile.vector.factors[facts.work].value;
}
