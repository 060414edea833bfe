/** Which way operands and results of products go on a machine: found by what its spaces are for, not by their names. */
import { fail } from "../../../../src/support/diagnostics.ts";
import { globalSpace, type Path, type Profile } from "../../../../src/machine/profile.ts";
import {
  canArrange,
  canConvert,
  fractalShape,
  matrixRate,
  pathBetween,
  route,
  spaceOf,
} from "../../../../src/machine/rates.ts";
import { dtypes, type DType } from "../../../../src/tensor/dtype.ts";
import { castWay } from "../vector/tile.ts";
import type { GemmSpec } from "./spec.ts";

export type Flow = {
  /** The space through which operands come to the matrix unit. */
  readonly stage: string;
  /** What the matrix unit multiplies by, and what it sums in. */
  readonly weight: DType;
  readonly acc: DType;
  /** Whether weights must be made by the vector unit before they can be multiplied. */
  readonly isMade: boolean;
  /** How sums leave: straight to memory, or by way of the vector unit. */
  readonly leaves: "straight" | "vector";
  /** Whether the vector unit is in the matrix unit's core, and they meet in its spaces; else they meet in memory. */
  readonly isWhole: boolean;
  /** The engine that fills the staging space, that which empties the accumulators, and the vector unit's two ends. */
  readonly load: string;
  readonly drain: string;
  readonly vectorLoad: string;
  readonly vectorStore: string;
};

const pathOf = (profile: Profile, from: string, to: string): Path =>
  pathBetween(profile, from, to) ?? fail("schedule/no-path", undefined, "a product", profile.name, from, to, profile.matrix.core); // prettier-ignore

/** The way of a product. Throws `schedule/no-path` where the machine has none, `device/no-product` where it does not multiply such operands. */
export function flowOf(profile: Profile, spec: GemmSpec): Flow {
  const { matrix, vector } = profile;
  const { a, w, out, bias } = spec;
  const stage = stageOf(profile);
  const weight =
    w.kind === "coded" || matrixRate(profile, a.dtype, w.dtype) === undefined ? a.dtype : w.dtype;
  const rate = matrixRate(profile, a.dtype, weight) ?? fail("device/no-product", undefined, profile.name, a.dtype, w.dtype); // prettier-ignore
  const isMade = weight !== w.dtype || w.kind === "coded";
  if (isMade && !castWay(profile, w.dtype, w.kind === "coded" ? "f32" : weight))
    return fail("device/no-product", undefined, profile.name, a.dtype, w.dtype);
  const straight = pathBetween(profile, matrix.c, globalSpace);
  const needsVector = w.kind === "integer" || bias === true;
  const leaves = straight?.core === matrix.core && !needsVector && canConvert(straight, rate.acc, out.dtype) ? "straight" : "vector"; // prettier-ignore
  const isWhole = matrix.core === vector.core;
  const drain = leaves === "vector" && isWhole ? pathOf(profile, matrix.c, vector.space) : pathOf(profile, matrix.c, globalSpace); // prettier-ignore
  return {
    stage,
    weight,
    acc: rate.acc,
    isMade,
    leaves,
    isWhole,
    load: pathOf(profile, globalSpace, stage).engine,
    drain: drain.engine,
    vectorLoad: pathOf(profile, globalSpace, vector.space).engine,
    vectorStore: pathOf(profile, vector.space, globalSpace).engine,
  };
}

/** The space through which operands come to the matrix unit. */
const stageOf = (profile: Profile): string =>
  route(profile, globalSpace, profile.matrix.a)?.at(-1)?.from ?? globalSpace;

/**
 * Whether rows of a product may be written in fractals and can be quicker so: the machine stores and copies fractals, rows that it must bring into them take time
 * of their own, and there are more of them than a fractal has.
 */
export function takesFractalRows(profile: Profile, spec: GemmSpec, rows: number): boolean {
  const [store, load] = [pathBetween(profile, profile.vector.space, globalSpace), pathBetween(profile, globalSpace, stageOf(profile))]; // prettier-ignore
  const [high, wide] = fractalShape(spaceOf(profile, globalSpace), dtypes[spec.a.dtype].bits) ?? [];
  if (!store || !load?.rearranging || high === undefined || wide === undefined) return false;
  const areCopied = canArrange(store, "nz", "nz") && canArrange(load, "nz", "nz");
  return areCopied && rows > high && spec.a.width % wide === 0;
}

/**
 * Whether a matrix [n, k] of a dtype is best stored in fractals, for products of rows of `a`: the machine takes it as it is, copies fractals
 * faster than rows that become such, and whole ones hold it.
 */
export function storesFractals(
  profile: Profile,
  a: DType,
  w: DType,
  [n, k]: readonly [n: number, k: number],
): boolean {
  const path = pathBetween(profile, globalSpace, stageOf(profile));
  const [rows, columns] = fractalShape(spaceOf(profile, globalSpace), dtypes[w].bits) ?? [];
  if (!path || rows === undefined || columns === undefined) return false;
  return (
    matrixRate(profile, a, w) !== undefined &&
    canArrange(path, "nz", "nz") &&
    n % rows === 0 &&
    k % columns === 0
  );
}
