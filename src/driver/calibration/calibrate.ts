import {
  matricesOf,
  quantizeWeights,
  roleOf,
  type WeightChoice,
  type WeightRole,
} from "../../../passes/quantize-weights.ts";
import { makeNode } from "../../ir/builder.ts";
import { definitions, isOp, type Func, type Node, type Value } from "../../ir/graph.ts";
import { edit } from "../../pass/edit.ts";
import { runPass } from "../../pass/runner.ts";
import { quantizer } from "../../quant/quantizer.ts";
import type { Scheme } from "../../quant/scheme.ts";
import { segmentFunc, segments, type Segment } from "../../quant/segments.ts";
import { tapsOf, type Tap } from "../../quant/taps.ts";
import type { FormatName } from "../../tensor/format.ts";
import { rotationOf } from "../../tensor/hadamard.ts";
import { rotate, sourceNames } from "../../tensor/recipe.ts";
import { rowReader, type StoredTensor } from "../../tensor/recipe-rows.ts";
import { jobsOf, matrixName, quantizeMatrix } from "./jobs.ts";
import { loadSegment, type Activations } from "./segment-code.ts";
import { nothingSeen, see, type Seen, type TapNames } from "./statistics.ts";
import { storedMatrix, type Coverage, type QuantReport, type Store } from "./store.ts";

/** Which format a matrix of the checkpoint takes, or undefined where it stays. */
export type FormatChoice = (name: string, role: WeightRole) => FormatName | undefined;

export type CalibrationTask = {
  /** The prefill function behind the pipeline's first phase. */
  readonly func: Func;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly choose: FormatChoice;
  /** Whether activations will be rounded, so that weights should make that easy. */
  readonly activations: Scheme["activations"];
  /** Sequences of token ids, each run on its own. */
  readonly windows: readonly (readonly number[])[];
  /** Experts that saw fewer tokens take what their whole layer saw. */
  readonly minExpertTokens: number;
  readonly threads: number;
  readonly onSegment?: (done: number, of: number) => void;
};

/**
 * Quantize every product's weights by GPTQ on what the model itself computes from a text. Stretches of the model run one after another,
 * each on what the quantized stretches before it give; one stretch's weights are held at a time. What `store` holds already is taken over.
 */
export async function calibrate(task: CalibrationTask, store: Store): Promise<QuantReport> {
  const { func, threads } = task;
  const reader = rowReader((name) => store.tensors.get(name) ?? found(task.tensors, name), quantizer);
  const cuts = segments(func);
  const tapped = cuts.map((it) => withTaps(func, it, task.choose));
  const last = tapped.findLastIndex((it) => it.taps.length > 0);
  const longest = Math.max(...task.windows.map((it) => it.length));
  let carried: Activations[] = task.windows.map(() => new Map());
  const fed = (given: Activations, window: readonly number[]): Activations =>
    new Map([...given, ["ids", Int32Array.from(window)], ["positions", Int32Array.from(window.keys())]]);
  const runAll = async (
    of: Func,
    onResult: (result: Activations, window: number, tokens: number) => void,
  ) => {
    const code = await loadSegment(of, reader, longest, threads);
    const wanted = new Set(of.params.map((p) => p.name));
    try {
      task.windows.forEach((window, i) => {
        const inputs = [...fed(carried[i] ?? new Map(), window)].filter(([name]) => wanted.has(name));
        onResult(code.run(new Map(inputs), window.length), i, window.length);
      });
    } finally {
      await code.close();
    }
  };
  try {
    for (const [i, { segment, taps, names }] of tapped.slice(0, last + 1).entries()) {
      if (taps.length > 0 && !store.has(i)) {
        const seen = taps.map(nothingSeen);
        const read = taps.flatMap((tap, t) => namedValues(tap, names[t]));
        await runAll(segmentFunc(func, segment, read), (result, _, tokens) =>
          taps.forEach((tap, t) =>
            see(seen[t] ?? nothingSeen(tap), tap, names[t] ?? { x: "" }, result, tokens),
          ),
        );
        const coverage = taps.flatMap((tap, t) => coverageOf(func, tap, seen[t]));
        const jobs = taps.flatMap((tap, t) =>
          jobsOf(func, tap, seen[t] ?? nothingSeen(tap), task.choose, task.minExpertTokens),
        );
        store.put(
          i,
          jobs.map((job) => quantizeMatrix(job, blockOf(task, job.matrix.shape.at(-1) ?? 1), reader)),
          coverage,
        );
      }
      task.onSegment?.(i + 1, last + 1);
      if (i === last || !segment.output) break;
      const whole = segmentFunc(func, segment, [{ name: "x", value: segment.output }]);
      const { module } = runPass({ funcs: [whole] }, quantizeWeights(storeChoice(store, task)));
      const next: Activations[] = [];
      await runAll(module.funcs[0] ?? whole, (result, window) => (next[window] = result));
      carried = next;
    }
  } finally {
    reader.close();
  }
  return store.report();
}

const found = (tensors: ReadonlyMap<string, StoredTensor>, name: string): StoredTensor => {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`no tensor ${name}`);
  return tensor;
};

/** Columns that are rotated together: activations that will be rounded are, and weights with them. */
const blockOf = ({ activations }: Pick<CalibrationTask, "activations">, cols: number): number =>
  activations === "int8" ? rotationOf(cols) : 1;

/** The matrices of a store as what the quantizing pass puts in the place of weights. */
export const storeChoice =
  (store: Store, task: Pick<CalibrationTask, "choose" | "activations">): WeightChoice =>
  (name, role) => {
    const format = task.choose(name, role);
    const matrix = format && storedMatrix(store, name, format);
    return matrix && rotate(matrix, blockOf(task, matrix.shape.at(-1) ?? 1));
  };

type Tapped = {
  readonly segment: Segment;
  readonly taps: readonly Tap[];
  readonly names: readonly TapNames[];
};

/** A segment with what its quantized products multiply, each value under a name of its own. */
function withTaps(func: Func, segment: Segment, choose: FormatChoice): Tapped {
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
function coverageOf(func: Func, tap: Tap, seen: Seen | undefined): readonly Coverage[] {
  if (tap.kind === "dense" || tap.x.type.dims.length === 3 || !seen) return [];
  return [{ layer: nameOf(func, tap.weight), tokens: seen.experts.map((it) => it.tokens) }];
}

function nameOf(func: Func, weight: Value): string {
  const maker = definitions(func).get(weight);
  return isOp(maker, "weight") ? (sourceNames(maker.attrs.recipe)[0] ?? "") : "";
}
