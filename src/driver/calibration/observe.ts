import { roleOf, type WeightRole } from "../../../passes/quantize/weights.ts";
import { matricesOf } from "../../tensor/matrices.ts";
import { makeNode } from "../../ir/builder.ts";
import { definitions, isOp, type Func, type Node, type Value } from "../../ir/graph.ts";
import { edit } from "../../pass/edit.ts";
import { segmentFunc, type Segment } from "../../quant/segments/segments.ts";
import { tapsOf, type Tap } from "../../quant/segments/taps.ts";
import type { FormatName } from "../../tensor/format.ts";
import { sourceNames, type Recipe } from "../../tensor/recipe.ts";
import { runSegment, type SegmentRun } from "./run-segment.ts";
import type { Activations } from "./segment-code.ts";
import { see, seenByInput, type Seen, type TapNames } from "./statistics.ts";
import type { Coverage } from "./store.ts";

/** Which format a matrix of the checkpoint takes, or undefined where it stays. */
export type FormatChoice = (name: string, role: WeightRole) => FormatName | undefined;

/** The name of a matrix: those of the tensors it is made of. */
export const matrixName = (matrix: Recipe): string => sourceNames(matrix).join("+");

/** A segment whose products can be watched. */
export type Tapped = {
  readonly segment: Segment;
  readonly taps: readonly Tap[];
  readonly names: readonly TapNames[];
};

/** A segment with what its quantized products multiply, each value under a name of its own. */
export function withTaps(func: Func, segment: Segment, choose: FormatChoice): Tapped {
  const made: Node[] = [];
  const hiddenOf = (x: Value, indices: Value, gateUp: Value): Value => {
    const node = makeNode("expertHidden", [x, indices, gateUp], {});
    made.push(node);
    const [out] = node.results;
    if (!out) throw new Error("expertHidden has a result");
    return out;
  };
  const { site } = edit(func);
  const taps = tapsOf(segment.nodes, hiddenOf).filter((tap) => {
    const maker = site.definition(tap.weight);
    const role = roleOf(site, tap.weight);
    return (
      isOp(maker, "weight") &&
      role !== undefined &&
      matricesOf(maker.attrs.recipe).some((it) => choose(matrixName(it), role) !== undefined)
    );
  });
  const numbers = new Map<Value, string>();
  const name = (v: Value): string => {
    const known = numbers.get(v) ?? `tap.${numbers.size}`;
    numbers.set(v, known);
    return known;
  };
  const names = taps.map((tap) => ({
    x: name(tap.x),
    ...(tap.kind === "routed" && { indices: name(tap.indices), shares: name(tap.shares) }),
  }));
  return { segment: { ...segment, nodes: [...segment.nodes, ...made] }, taps, names };
}

function namedValues(tap: Tap, names: TapNames | undefined): Func["results"] {
  if (!names) return [];
  const x = { name: names.x, value: tap.x };
  if (tap.kind === "dense" || !names.indices || !names.shares) return [x];
  return [x, { name: names.indices, value: tap.indices }, { name: names.shares, value: tap.shares }];
}

/** What the experts of a layer saw; told once, where their first matrices are. */
export function coverageOf(func: Func, tap: Tap, seen: Seen | undefined): readonly Coverage[] {
  if (tap.kind === "dense" || tap.x.type.dims.length === 3 || !seen) return [];
  return [{ layer: nameOf(func, tap.weight), tokens: seen.experts.map((it) => it.tokens) }];
}

function nameOf(func: Func, weight: Value): string {
  const maker = definitions(func).get(weight);
  return isOp(maker, "weight") ? (sourceNames(maker.attrs.recipe)[0] ?? "") : "";
}

/** Run a segment and gather what its products multiply, one of `Seen` for each tap; those of one activation share it. */
export async function observe(
  func: Func,
  { segment, taps, names }: Tapped,
  run: SegmentRun,
  given: readonly Activations[],
): Promise<readonly Seen[]> {
  const seen = seenByInput(taps);
  const read = taps.flatMap((tap, t) => namedValues(tap, names[t]));
  await runSegment(segmentFunc(func, segment, read), run, given, (result, _, tokens) =>
    taps.forEach((tap, t) => {
      const [into, at] = [seen[t], names[t]];
      if (into && at && seen.indexOf(into) === t) see(into, tap, at, result, tokens, run.products);
    }),
  );
  return seen;
}
