import { roleOf } from "../../../passes/quantize/weights.ts";
import { matricesOf } from "../../tensor/matrices.ts";
import { definitions, isOp, type Func, type Node, type Value } from "../../ir/graph.ts";
import { edit } from "../../pass/edit.ts";
import { backward, reads, withoutRule } from "../../quant/gradient/rules.ts";
import type { OutputRows, Tape } from "../../quant/gradient/tape.ts";
import { addRows, noMoments, type Moments } from "../../quant/moments.ts";
import type { Products } from "../../quant/products.ts";
import { segmentFunc, segments, type Segment } from "../../quant/segments/segments.ts";
import { createRandom } from "../../support/random.ts";
import type { RowReader } from "../../tensor/recipe-rows.ts";
import { readFloats } from "./jobs.ts";
import { matrixName, type FormatChoice } from "./observe.ts";
import { runSegment, type SegmentRun } from "./run-segment.ts";
import type { Activations } from "./segment-code.ts";

/**
 * Second moments of the gradients of what each matrix gives, by its name: with labels drawn from the model's own answers they
 * are the Fisher information, so that half the energy of an error under them is the divergence it causes.
 */
export type Sensitivity = ReadonlyMap<string, Moments>;

/**
 * Measure how the model's answers depend on what its matrices give. Undefined where an operator has no gradient. Segments run
 * forward once and then back, one segment's weights held at a time; what goes between them is kept for every window.
 */
export async function measureSensitivity(
  func: Func,
  choose: FormatChoice,
  run: SegmentRun,
): Promise<Sensitivity | undefined> {
  if (withoutRule(func.body)) return undefined;
  const cuts = segments(func);
  const between: Activations[][] = [run.windows.map(() => new Map())];
  for (const [i, segment] of cuts.slice(0, -1).entries()) {
    if (!segment.output) throw new Error("only the last segment gives nothing on");
    const whole = segmentFunc(func, segment, [{ name: "x", value: segment.output }]);
    const given: Activations[] = [];
    await runSegment(whole, run, between[i] ?? [], (result, w) => (given[w] = result));
    between.push(given);
  }
  const seen = new Map<string, Moments>();
  let gradients: Float32Array[] = [];
  for (const [i, segment] of [...cuts.entries()].reverse()) {
    gradients = await segmentBackward(func, segment, choose, run, between[i] ?? [], gradients, seen);
    between.length = i;
  }
  return seen;
}

/** Bytes that measuring a model takes: what goes between its segments in every window, and the moments of its matrices. */
export function sensitivityBytes(func: Func, choose: FormatChoice, windows: SegmentRun["windows"]): number {
  const tokens = windows.reduce((n, it) => n + it.length, 0);
  const between = segments(func).reduce((n, { output }) => n + Number(output?.type.dims.at(-1) ?? 0), 0);
  const { site } = edit(func);
  let moments = 0;
  for (const node of func.body) {
    const [weight] = node.results;
    const role = weight && isOp(node, "weight") ? roleOf(site, weight) : undefined;
    if (!role || !isOp(node, "weight")) continue;
    for (const matrix of matricesOf(node.attrs.recipe))
      if (choose(matrixName(matrix), role)) moments += (matrix.shape[0] ?? 1) ** 2;
  }
  return 4 * tokens * between + 8 * moments;
}

/** One segment back: gives the gradients of its input for each window. */
async function segmentBackward(
  func: Func,
  segment: Segment,
  choose: FormatChoice,
  run: SegmentRun,
  given: readonly Activations[],
  gradients: readonly Float32Array[],
  seen: Map<string, Moments>,
): Promise<Float32Array[]> {
  const logits = segment.output ? undefined : func.results.find(({ name }) => name === "logits")?.value;
  const last = segment.output ?? logits;
  if (!last) throw new Error("a model has logits");
  const isMade = new Set(segment.nodes.flatMap((n) => n.results));
  const wanted = new Set(segment.nodes.flatMap((n) => reads(n, segment.nodes)).filter((v) => isMade.has(v)));
  if (logits) wanted.add(logits);
  const names = new Map([...wanted].map((value, n): [Value, string] => [value, `forward.${n}`]));
  const results = [...names].map(([value, name]) => ({ name, value }));
  const weights = weightsOf(func, run.reader);
  const listen = listener(func, choose, seen, run.products);
  const back: Float32Array[] = [];
  await runSegment(segmentFunc(func, segment, results), run, given, (result, w, tokens) => {
    const tape: Tape = {
      tokens,
      weight: weights,
      products: run.products,
      forward: (value) => {
        if (value === segment.input) return result.get("x") ?? given[w]?.get("x") ?? new Float32Array();
        const known = result.get(names.get(value) ?? "");
        if (known) return known;
        if (func.params.some((p) => p === value)) return Int32Array.from({ length: tokens }, (_, i) => i);
        throw new Error("a gradient reads what was not kept");
      },
    };
    const start = logits
      ? sampled(Float32Array.from(tape.forward(logits)), tokens, w)
      : (gradients[w] ?? new Float32Array());
    const into = backward(segment.nodes, tape, new Map([[last, start]]), listen);
    if (segment.input) back[w] = into(segment.input);
  });
  return back;
}

/** The gradient of -ln p of a label drawn from the answer itself, for every row of logits. */
function sampled(logits: Float32Array, tokens: number, seed: number): Float32Array {
  const vocab = logits.length / tokens;
  const random = createRandom(seed);
  const out = new Float32Array(logits.length);
  for (let t = 0; t < tokens; t++) {
    const row = logits.subarray(t * vocab, (t + 1) * vocab);
    let most = -Infinity;
    for (const x of row) if (x > most) most = x;
    let total = 0;
    for (const x of row) total += Math.exp(x - most);
    let left = random.float();
    let label = vocab - 1;
    for (let i = 0; i < vocab; i++) {
      const p = Math.exp((row[i] ?? 0) - most) / total;
      out[t * vocab + i] = p;
      left -= p;
      if (left < 0 && label === vocab - 1) label = Math.min(label, i);
    }
    out[t * vocab + label] = (out[t * vocab + label] ?? 0) - 1;
  }
  return out;
}

/** Weights and constants of a function by value, each read once. */
function weightsOf(func: Func, reader: RowReader): (value: Value) => Float32Array {
  const makers = definitions(func);
  const held = new Map<Value, Float32Array>();
  const load = (maker: Node | undefined): Float32Array => {
    if (isOp(maker, "weight")) return readFloats(maker.attrs.recipe, reader);
    if (isOp(maker, "constant")) return Float32Array.from(maker.attrs.values, Number);
    throw new Error("a weight is a weight or a constant");
  };
  return (value) => {
    const known = held.get(value) ?? load(makers.get(value));
    held.set(value, known);
    return known;
  };
}

/** Adds what is told to the moments of the matrices that will be quantized. */
function listener(func: Func, choose: FormatChoice, seen: Map<string, Moments>, products: Products) {
  const { site } = edit(func);
  return ({ weight, rows, width, of }: OutputRows): void => {
    const maker = site.definition(weight);
    const role = roleOf(site, weight);
    if (!isOp(maker, "weight") || !role) return;
    const { recipe } = maker.attrs;
    const parts = of && recipe.kind === "stack" ? recipe.parts : [recipe];
    const slots: number[][] = parts.map(() => []);
    const count = rows.length / width;
    for (let r = 0; r < count; r++) slots[of && parts.length > 1 ? (of[r] ?? 0) : 0]?.push(r);
    parts.forEach((part, e) => {
      let begin = 0;
      for (const matrix of matricesOf(part)) {
        const name = matrixName(matrix);
        const [height = 1] = matrix.shape;
        if (choose(name, role) !== undefined) {
          const moments = seen.get(name) ?? noMoments(height);
          seen.set(name, moments);
          addRows(moments, rows.subarray(begin), width, slots[e] ?? [], () => 1, products);
        }
        begin += height;
      }
    });
  };
}
