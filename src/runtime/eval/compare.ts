import { isOp } from "../../ir/graph.ts";
import { isNumbers, isResidual, type Recorded, type TracedValue, type Tracer } from "../trace.ts";

/** How far numbers are from those expected. */
export type Distance = {
  /** The size of the difference over the size of what is expected, for the row that is furthest off. */
  readonly error: number;
  /** The cosine between all that was found and all that is expected. */
  readonly cosine: number;
};

/** What an operator makes of what the reference computed, beside what the reference makes of it. */
export type ComparedValue = Distance & {
  /** In the plan's module.mir. */
  readonly value: string;
  readonly operator: string;
  /** The names of the checkpoint it comes from. */
  readonly origin: readonly string[];
  /** The most error that is no fault. */
  readonly tolerance: number;
};

/** A layer, or what comes before or behind the layers. */
export type ComparedLayer = {
  readonly layer: string;
  /** The operator whose error is the largest share of its tolerance. */
  readonly worst: ComparedValue;
  /** The first operator beyond its tolerance, if any is. */
  readonly beyond?: ComparedValue;
  /** How far the plan left to itself is off behind this layer, the errors of all layers before it included. */
  readonly carried: Distance;
};

/**
 * The most error of an operator's output that the bits of its weights explain: float32 in another order, or floats of 16 bits of which eight
 * count; codes of eight bits, with activations of as many; codes of four, of a whole row behind one scale.
 */
export const toleranceOf = (bits: number, half: boolean): number =>
  bits >= 16 ? (half ? 0.02 : 1e-3) : bits === 8 ? 0.05 : 0.4;

/** Compare row by row; rows smaller than usual are measured by the usual size. */
export function distance(found: Float32Array, expected: Float32Array, rows: number): Distance {
  const width = expected.length / rows;
  let [dot, foundSquare, expectedSquare] = [0, 0, 0];
  const off = new Float64Array(rows);
  const size = new Float64Array(rows);
  expected.forEach((y, i) => {
    const x = found[i] ?? NaN;
    const row = Math.floor(i / width);
    dot += x * y;
    foundSquare += x * x;
    expectedSquare += y * y;
    off[row] = (off[row] ?? 0) + (x - y) ** 2;
    size[row] = (size[row] ?? 0) + y * y;
  });
  const usual = expectedSquare / rows;
  let furthest = 0;
  for (let row = 0; row < rows; row++) {
    const share = (off[row] ?? NaN) / Math.max(size[row] ?? 0, usual, Number.MIN_VALUE);
    if (!(share <= furthest)) furthest = share;
  }
  const both = Math.sqrt(foundSquare * expectedSquare);
  return { error: Math.sqrt(furthest), cosine: both > 0 ? dot / both : 1 };
}

/** The lowest layer that is named among these, as far as its number: `model.layers.3`. */
function namedLayer(names: readonly string[]): string | undefined {
  const layers = names.flatMap((name) => {
    const [layer, number] = /^.*?(?:layers?|blocks?|h)[._/](\d+)/.exec(name) ?? [];
    return layer === undefined ? [] : [{ layer, number: Number(number) }];
  });
  return layers.sort((a, b) => a.number - b.number)[0]?.layer;
}

/**
 * The layer that a value belongs to, behind a value of layer `current`: what it comes from or what its weights are called tells. A residual
 * sum ends the layer at hand, whatever norm reads it; a weight that there is but once, as no number says which, stands for itself.
 */
export function layerOf(value: TracedValue, current: string | undefined): string {
  const { weights, node } = value;
  if (current !== undefined && isResidual(value)) return current;
  const own = isOp(node, "rope")
    ? undefined
    : weights.find((name) => !/\d/.test(name))?.replace(/\.weight$/, "");
  return namedLayer(node.origin) ?? namedLayer(weights) ?? own ?? current ?? node.origin[0] ?? "";
}

/** Every value of one run by its key. */
const byKey = (recorded: readonly Recorded[]): ReadonlyMap<string, Float32Array> =>
  new Map(recorded.map(({ value, numbers }) => [value.key, numbers]));

/**
 * Compare a plan with a reference value by value: once left to itself, and once with every value replaced by the reference's as soon as it is
 * computed, so that an operator's error is its own. Values that ranks have in parts are compared where they are whole. `tolerance` takes the place
 * of those that the weights' formats explain.
 */
export async function compareLayers(
  plan: Tracer,
  reference: Tracer,
  ids: readonly number[],
  tolerance?: number,
): Promise<readonly ComparedLayer[]> {
  const expected = byKey(await reference.run(ids));
  const alone = byKey(await plan.run(ids));
  const layers = new Map<string, { worst?: ComparedValue; beyond?: ComparedValue; carried?: Distance }>();
  const rows = ids.length;
  let current: string | undefined;
  let at = 0;
  for (const { value, rank, numbers } of await plan.run(ids, expected)) {
    if (rank !== at) [at, current] = [rank, undefined];
    const want = expected.get(value.key);
    if (want?.length !== numbers.length || !isNumbers(value)) continue;
    const { op, origin } = value.node;
    const found: ComparedValue = {
      value: value.name,
      operator: op,
      origin,
      tolerance: tolerance ?? toleranceOf(value.bits, value.half),
      ...distance(numbers, want, rows),
    };
    current = layerOf(value, current);
    const layer = layers.get(current) ?? {};
    layers.set(current, layer);
    if (!layer.worst || share(found) > share(layer.worst)) layer.worst = found;
    if (!(found.error <= found.tolerance)) layer.beyond ??= found;
    const own = alone.get(value.key);
    if (own && (isResidual(value) || !layer.carried)) layer.carried = distance(own, want, rows);
  }
  return [...layers].flatMap(([layer, { worst, beyond, carried }]) =>
    worst && carried ? [{ layer, worst, ...(beyond && { beyond }), carried }] : [],
  );
}

/** An error as a share of what is tolerated; more than any where it is no number. */
const share = ({ error, tolerance }: ComparedValue): number =>
  Number.isNaN(error) ? Infinity : error / tolerance;
