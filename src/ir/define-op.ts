import type { AttrSchema, AttrsOf } from "./attributes.ts";
import type { TensorType } from "./types.ts";

/** Everything moec knows of an operator's language. Reference semantics stand in src/interp, in an exhaustive table. */
export type OpDefinition<A extends Record<string, AttrSchema> = Record<string, AttrSchema>> = {
  readonly summary: string;
  /** Names of the operands; a trailing `?` marks one that may be absent, `...` one that repeats. */
  readonly operands: readonly string[];
  readonly results: readonly string[];
  readonly attrs: A;
  /** The result types, or in words why the operands do not fit. */
  readonly infer: (operands: readonly TensorType[], attrs: AttrsOf<A>) => readonly TensorType[] | string;
  /** Floating-point operations of one call, named dims counted as `named`. */
  readonly flops: (operands: readonly TensorType[], attrs: AttrsOf<A>, named: number) => number;
};

/** Define an operator; a function only so that `infer` sees the attribute types. */
export const defineOp = <const A extends Record<string, AttrSchema>>(
  definition: OpDefinition<A>,
): OpDefinition<A> => definition;

/** How many operands an operator takes. */
export function arity(operands: readonly string[]): { readonly min: number; readonly max: number } {
  const min = operands.filter((name) => !name.endsWith("?") && !name.endsWith("...")).length;
  const repeats = operands.some((name) => name.endsWith("..."));
  return { min: repeats ? min + 1 : min, max: repeats ? Infinity : operands.length };
}
