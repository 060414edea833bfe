/** What follows from a profile's figures. Nothing here knows a device by name. */
import { dtypes, type DType } from "../tensor/dtype.ts";
import type { Layout, MatrixRate, Path, Profile, Space } from "./profile.ts";

/** The space of a name. A profile that was checked has every name it mentions. */
export function spaceOf(profile: Profile, name: string): Space {
  const found = profile.spaces.find((it) => it.name === name);
  if (!found) throw new RangeError(`${profile.name} has no space ${name}`);
  return found;
}

/** Bytes of a space that buffers may take. */
export const usableBytes = ({ bytes, reserved }: Space): number => bytes.value - (reserved?.value ?? 0);

/** The copy path between two spaces, or undefined where data must go another way. */
export const pathBetween = ({ paths }: Profile, from: string, to: string): Path | undefined =>
  paths.find((it) => it.from === from && it.to === to);

/** Bytes a cycle at which a path brings elements of a dtype, counted where they arrive. */
export const pathRate = ({ bytesPerCycle, elementsPerCycle }: Path, dtype: DType): number =>
  Math.min(bytesPerCycle.value, ((elementsPerCycle?.value ?? Infinity) * dtypes[dtype].bits) / 8);

/** Bytes of a path's time that a row of so many takes: whole units, or, where it is shorter than one, the smallest piece that holds it. */
export function roomOf({ rowBytes, pieceBytes }: Path, row: number): number {
  const unit = rowBytes?.value ?? 1;
  if (!pieceBytes || row > unit) return Math.ceil(row / unit) * unit;
  return Math.min(unit, pieceBytes.value * 2 ** Math.max(0, Math.ceil(Math.log2(row / pieceBytes.value))));
}

/** The fewest paths that lead from one space to another, in order; undefined where none do. */
export function route(profile: Profile, from: string, to: string): readonly Path[] | undefined {
  const open: (readonly Path[])[] = [[]];
  const seen = new Set([from]);
  for (const sofar of open) {
    const here = sofar.at(-1)?.to ?? from;
    if (here === to) return sofar;
    for (const path of profile.paths.filter((it) => it.from === here && !seen.has(it.to))) {
      seen.add(path.to);
      open.push([...sofar, path]);
    }
  }
  return undefined;
}

/** The matrix unit's rate for operands of these dtypes, or undefined where it does not take them. */
export const matrixRate = ({ matrix }: Profile, a: DType, b: DType = a): MatrixRate | undefined =>
  matrix.rates.find((it) => it.a === a && it.b === b);

/** Cores of a kind on the whole chip. */
export function coreCount({ cores, groups }: Profile, name: string): number {
  const core = cores.find((it) => it.name === name);
  return core ? core.perGroup.value * groups.value : 0;
}

/** Cycles that one matrix instruction over m x n x k takes its engine, ragged edges filled up. */
export const matrixCycles = (rate: MatrixRate, m: number, n: number, k: number): number =>
  Math.ceil(m / rate.m) * Math.ceil(n / rate.n) * Math.ceil(k / rate.k) * rate.cycles.value;

/** Operations a second of all matrix units together, a multiply-add counted as two; 0 where it does not take them. */
export function peakMatrixOps(profile: Profile, a: DType, b: DType = a): number {
  const rate = matrixRate(profile, a, b);
  if (!rate) return 0;
  const perCycle = (2 * rate.m * rate.n * rate.k) / rate.cycles.value;
  return perCycle * coreCount(profile, profile.matrix.core) * profile.clock.value * 1e6;
}

/** Elementwise bytes of one operand that all vector units take in a second. */
export const peakVectorBytes = (profile: Profile): number =>
  profile.vector.bytesPerCycle.value * coreCount(profile, profile.vector.core) * profile.clock.value * 1e6;

/** Nominal bytes of the chip's memory in a cycle of the cores. */
export const memoryBytesPerCycle = ({ memory, clock }: Profile): number =>
  memory.bytesPerSecond.value / (clock.value * 1e6);

/** Cycles as microseconds. */
export const microseconds = ({ clock }: Profile, cycles: number): number => cycles / clock.value;

/** Rows and columns of one fractal of `bits` wide elements in a space; undefined where it has none. */
export function fractalShape(
  { fractal }: Space,
  bits: number,
): readonly [rows: number, columns: number] | undefined {
  return fractal && [fractal.rows.value, Math.floor((fractal.rowBytes.value * 8) / bits)];
}

/** Whether a path may bring what lies as `from` to lie as `to`. */
export const canArrange = ({ layouts }: Path, from: Layout, to: Layout): boolean =>
  layouts.length === 0 ? from === to : layouts.some(([a, b]) => a === from && b === to);

/** Whether a path may turn one dtype into another; the same is always carried. */
export const canConvert = ({ converts }: Path, from: DType, to: DType): boolean =>
  from === to || (converts?.value.some((it) => it.from === from && it.to === to) ?? false);
