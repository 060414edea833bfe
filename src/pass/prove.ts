import { crc32 } from "node:zlib";
import { bindDims, dimNames, type Bindings } from "../ir/dim.ts";
import type { Func, Node, Param, Value } from "../ir/graph.ts";
import { formatRecipe } from "../ir/printer.ts";
import { sizeOf } from "../ir/types.ts";
import { interpret } from "../interp/interpret.ts";
import { allocate, rounderOf, type Numbers } from "../interp/numbers.ts";
import { dtypes } from "../tensor/dtype.ts";
import type { Tensor } from "../interp/tensor.ts";
import { createRandom, type Random } from "../support/random.ts";
import type { Recipe } from "../tensor/recipe.ts";
import type { Site } from "./edit.ts";

/** A value that a proof takes as given. */
export type Given = {
  readonly value: Value;
  /** For indices: how many things there are to choose from. */
  readonly choices?: number;
  /** How far from zero numbers may be; 1 where it is not said. */
  readonly within?: number;
};

/** Work beyond this many elements is not tried, where the caller does not ask for more. */
const mostElements = 1 << 22;
const mostNodes = 256;

/** The nodes that make `results` out of `given` values, operands first. */
function nodesBetween(site: Site, given: ReadonlySet<Value>, results: readonly Value[]) {
  const nodes = new Set<Node>();
  const free = new Set<Value>();
  const visit = (value: Value): void => {
    const maker = given.has(value) ? undefined : site.definition(value);
    if (!maker) return void free.add(value);
    if (nodes.has(maker)) return;
    maker.operands.forEach(visit);
    nodes.add(maker);
  };
  results.forEach(visit);
  return { nodes: [...nodes], free: [...free] };
}

/** Sizes for the named dims: small, no two alike, and large enough that what is a share of one is not nothing. */
function smallSizes(values: readonly Value[]): Bindings {
  const shares = values.some((v) => v.type.dims.some((d) => String(d).includes("(")));
  const names = [...new Set(values.flatMap((v) => v.type.dims.flatMap(dimNames)))].sort();
  return Object.fromEntries(names.map((name, i) => [name, (shares ? 37 : 3) + 2 * i]));
}

/** Numbers around zero. Weights are many, so these come from the plainest generator there is (Numerical Recipes, "ranqd1"). */
function fill(data: Numbers, within: number, seed: number, round: (x: number) => number): void {
  let state = seed;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    data[i] = round((within * state) / 2 ** 31);
  }
}

/** Indices among `choices`, all different along the last axis. */
function pick(data: Numbers, width: number, choices: number, random: Random): void {
  let left: number[] = [];
  for (let i = 0; i < data.length; i++) {
    if (i % width === 0) left = Array.from({ length: choices }, (_, j) => j);
    const [picked = 0] = left.splice(random.below(left.length), 1);
    data[i] = picked;
  }
}

/** Made-up elements: indices among their choices, small whole numbers, or numbers around zero. */
function madeUp(
  value: Value,
  shape: readonly number[],
  { choices, within = 1 }: Omit<Given, "value">,
  random: Random,
): Tensor {
  const { dtype } = value.type;
  const data = allocate(
    dtype,
    shape.reduce((n, d) => n * d, 1),
  );
  const round = rounderOf(dtype);
  if (choices !== undefined) pick(data, shape.at(-1) ?? 1, choices, random);
  else if (dtypes[dtype].kind === "float") fill(data, within, random.uint32(), round);
  else data.forEach((_, i) => (data[i] = round(random.below(4))));
  return { dtype, shape, data };
}

/** The nodes as a function whose parameters are the free values. */
function asFunc(nodes: readonly Node[], free: readonly Value[], results: readonly Value[]): Func {
  const params = free.map((value, i): Param => ({ type: value.type, name: `given${i}` }));
  const own = new Map<Value, Value>(free.map((value, i) => [value, params[i] ?? value]));
  const inside = (value: Value): Value => own.get(value) ?? value;
  return {
    name: "proof",
    params,
    body: nodes.map((node) => ({ ...node, operands: node.operands.map(inside) })),
    results: results.map((value, i) => ({ name: String(i), value: inside(value) })),
  };
}

/**
 * Evaluate values with everything given made up, the same every time, weights too. Undefined where that would take too long,
 * or the made-up numbers are no operands.
 */
export function evaluate(
  site: Site,
  given: readonly Given[],
  results: readonly Value[],
  most = mostElements,
): readonly Tensor[] | undefined {
  const { nodes, free } = nodesBetween(site, new Set(given.map((g) => g.value)), results);
  if (nodes.length > mostNodes) return undefined;
  const values = [...nodes.flatMap((n) => n.results), ...free];
  const sizes = smallSizes(values);
  const largest = Math.max(1, ...Object.values(sizes));
  if (values.reduce((n, v) => n + sizeOf(v.type.dims, largest), 0) > most) return undefined;
  const random = createRandom(1);
  const said = new Map(given.map((g) => [g.value, g]));
  const func = asFunc(nodes, free, results);
  const inputs = new Map(
    free.map((value, i): [string, Tensor] => [
      `given${i}`,
      madeUp(value, bindDims(value.type.dims, sizes), said.get(value) ?? {}, random),
    ]),
  );
  const weights = new Map<string, Tensor>();
  const weight = (recipe: Recipe): Tensor => {
    const key = formatRecipe(recipe);
    const value: Value = { type: { dtype: recipe.dtype, dims: recipe.shape } };
    const tensor = weights.get(key) ?? madeUp(value, recipe.shape, {}, createRandom(crc32(key)));
    weights.set(key, tensor);
    return tensor;
  };
  try {
    return [...interpret(func, inputs, weight, { dims: sizes }).values()];
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

const close = (a: number, b: number, tolerance: number): boolean =>
  a === b || Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(a), Math.abs(b));

/** Whether two tensors hold the same numbers, to a tolerance relative to their size. */
export const agree = (a: Tensor | undefined, b: Tensor | undefined, tolerance = 1e-4): boolean =>
  a !== undefined &&
  b !== undefined &&
  a.shape.join() === b.shape.join() &&
  a.data.every((x, i) => close(x, b.data[i] ?? NaN, tolerance));

/** Whether `old` and `now` are the same, and not empty, for made-up values of what is given; undefined where that is too much to try. */
export function same(
  site: Site,
  given: readonly Given[],
  old: readonly Value[],
  now: readonly Value[],
  most = mostElements,
): boolean | undefined {
  const found = evaluate(site, given, [...old, ...now], most);
  return (
    found && old.every((_, i) => (found[i]?.data.length ?? 0) > 0 && agree(found[i], found[old.length + i]))
  );
}
