/** Short forms in which profiles are written. */
import type { DType } from "../tensor/dtype.ts";
import type { Figure } from "../support/figure.ts";
import type { Conversion, Engine, MatrixRate, Path, Space } from "./profile.ts";

type Pairs = readonly (readonly [from: DType, to: DType])[];

/** Changes of dtype. */
export const conversions = (...pairs: Pairs): readonly { readonly from: DType; readonly to: DType }[] =>
  pairs.map(([from, to]) => ({ from, to }));

/** Changes of dtype with a factor a column on the way. */
export const scaledConversions = (...pairs: Pairs): readonly Conversion[] =>
  conversions(...pairs).map((it) => ({ ...it, scale: "channel" }));

/** A path of one engine. */
export const copy = (
  [core, engine]: readonly [core: string, engine: string],
  [from, to]: readonly [from: string, to: string],
  bytesPerCycle: Figure,
  rest: Omit<Path, "core" | "engine" | "from" | "to" | "bytesPerCycle">,
): Path => ({ core, engine, from, to, bytesPerCycle, ...rest });

/** A space in each core of a kind. */
export const inCore = (
  core: string,
  name: string,
  bytes: Figure,
  rest: Omit<Space, "name" | "scope" | "core" | "bytes">,
): Space => ({ name, scope: "core", core, bytes, ...rest });

/** The engines of a core; those that `queue` names hold so many instructions. */
export const engines = (
  core: string,
  names: readonly string[],
  queue: Readonly<Record<string, Figure>> = {},
): readonly Engine[] =>
  names.map((name) => ({ name, core, ...(queue[name] !== undefined && { queue: queue[name] }) }));

/** A rate of the matrix unit for two operands of one dtype. */
export const fragment = (
  operands: DType,
  acc: DType,
  [m, n, k]: readonly [m: number, n: number, k: number],
  cycles: Figure,
): MatrixRate => ({ a: operands, b: operands, acc, m, n, k, cycles });
