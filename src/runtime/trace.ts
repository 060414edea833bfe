import { readFileSync } from "node:fs";
import { definitions, isOp, type Func, type Node, type Value } from "../ir/graph.ts";
import { parseModule } from "../ir/parser.ts";
import { valueNames } from "../ir/printer.ts";
import { weightNames } from "../plan/program/program.ts";
import type { Plan } from "../plan/read-plan.ts";
import { fail } from "../support/diagnostics.ts";
import { formats } from "../tensor/format.ts";
import { inputs, sourceNames, type Recipe } from "../tensor/recipe.ts";
import { createEngine } from "./engine/engine.ts";
import { count } from "../plan/program/sizes.ts";

/** A value that a plan computes into memory of its own. */
export type TracedValue = {
  /** What it is called in module.mir. */
  readonly name: string;
  readonly node: Node;
  /** Which of the node's results it is. */
  readonly result: number;
  /** The same for the same value of the same model in another plan: where it comes from, by which operator. */
  readonly key: string;
  /** The tensors of the model that the operator reads as weights. */
  readonly weights: readonly string[];
  /** Bits of the narrowest codes among what the operator multiplies with; 32 where it has none. */
  readonly bits: number;
};

/** Sees a value when it is complete. The numbers are the engine's own: what is written there is what later steps read. */
export type ValueSink = (value: TracedValue, numbers: Float32Array) => void;

/** A plan that shows every value of one call of prefill. */
export type Tracer = {
  /** The most tokens a call takes. */
  readonly maxTokens: number;
  /** Run tokens as one sequence from its start, in one call. Values come in the order in which they are computed. */
  readonly run: (ids: readonly number[], sink: ValueSink) => void;
  readonly close: () => Promise<void>;
};

/** Operators over codes do what those over numbers do. */
const plainOp = (op: string): string => ({ integerLinear: "linear", integerExperts: "experts" })[op] ?? op;

/** Bits of the narrowest codes that a weight is made of; the codes of the checkpoint itself do not count where they are floats. */
function bitsOf(recipe: Recipe): number {
  if (recipe.kind === "quantize") return formats[recipe.format].bits;
  if (recipe.kind === "dequantize" && recipe.of.kind === "source" && recipe.of.dtype === "i8")
    return recipe.bits ?? 8;
  if (recipe.dtype === "f4e2m1") return 4;
  return Math.min(32, ...inputs(recipe).map(bitsOf));
}

/** Operators whose result is what they read, in another form. */
const isView = ({ op }: Node): boolean => ["slice", "reshape", "broadcast", "concat"].includes(op);

/** The values of a function by the name of the first of each node's, the one that steps are named by. */
function tracedValues(func: Func): ReadonlyMap<string, readonly TracedValue[]> {
  const nameOf = valueNames(func);
  const made = definitions(func);
  const recipes = (node: Node): readonly Recipe[] =>
    node.operands.flatMap((operand) => {
      const maker = made.get(operand);
      return isOp(maker, "weight") ? [maker.attrs.recipe] : [];
    });
  const codeBits = ({ attrs }: Node) =>
    [attrs["bits"], attrs["gateUpBits"], attrs["downBits"]].filter((it) => typeof it === "number");
  const rounded = new Set<Value>();
  const seen = new Map<string, number>();
  return new Map(
    func.body.map((node) => {
      const what = `${plainOp(node.op)} of ${node.origin.join(", ")}`;
      const nth = seen.get(what) ?? 0;
      seen.set(what, nth + 1);
      const read = recipes(node);
      const ofCache = node.operands.some((it) => rounded.has(it));
      if (node.op === "dequantizeRows" || (ofCache && isView(node)))
        node.results.forEach((it) => rounded.add(it));
      const bits = Math.min(...read.map(bitsOf), ...codeBits(node), ofCache ? 8 : 32);
      const weights = read.flatMap(sourceNames);
      const values = node.results.map((value, result) => ({
        name: nameOf(value),
        node,
        result,
        key: `${what} #${nth}.${result}`,
        weights,
        bits,
      }));
      return [values[0]?.name ?? "", values];
    }),
  );
}

/** Load a plan of a decoder to be looked into, on one thread. Throws `run/graph` and `verify/ranks` for plans of other kinds. */
export function openTracer(plan: Plan): Tracer {
  const { manifest } = plan;
  const file = plan.file("module.mir");
  const { length: ranks } = manifest.ranks;
  if (ranks > 1) fail("verify/ranks", { kind: "file", file: plan.dir }, ranks);
  const programs = plan.programs(0);
  const own = weightNames(programs);
  const program = programs.find((it) => it.name === "prefill");
  const func = parseModule(readFileSync(file, "utf8"), file).funcs.find((it) => it.name === "prefill");
  if (!program || !func) {
    const inputs = manifest.graph?.inputs.map((it) => it.name).join(", ") ?? "";
    return fail("run/graph", { kind: "file", file: plan.dir }, inputs);
  }
  const values = tracedValues(func);
  const stepValue = program.steps.map((step) => ("kernel" in step ? step.value : ""));
  const lastStep = new Map(stepValue.map((value, step) => [value, step]));
  const buffers = new Map(program.buffers.map((it) => [it.name, it]));
  let onValue: (value: TracedValue) => void = () => {};
  const engine = createEngine({
    kernels: readFileSync(plan.file("kernels.wasm")),
    programs,
    caches: manifest.ranks[0]?.caches ?? [],
    weights: manifest.weights.filter((w) => own.has(w.name)),
    loadWeight: plan.loadWeight,
    context: manifest.context,
    threads: 1,
    onStep: (_, step) => {
      const name = stepValue[step] ?? "";
      if (lastStep.get(name) === step) values.get(name)?.forEach((value) => onValue(value));
    },
  });
  return {
    maxTokens: Math.min(program.maxTokens, manifest.context),
    run: (ids, sink) => {
      onValue = (value) => {
        const buffer = buffers.get(value.name);
        if (!buffer) return; // a view of another value
        const words = (count(buffer.rows, ids.length, ids.length) * buffer.rowBytes) / 4;
        sink(value, engine.buffer(program.name, value.name, words));
      };
      engine.run(program.name, ids, 0);
    },
    close: engine.close,
  };
}

/** Whether a value is numbers, not indices. */
export const isNumbers = ({ node, result }: TracedValue): boolean =>
  node.results[result]?.type.dtype === "f32";

/** Whether a value is what one half of a layer leaves to the next: a sum of the residual stream. */
export const isResidual = ({ node, result }: TracedValue): boolean =>
  result === 0 && (isOp(node, "addRmsNorm") || isOp(node, "add"));
