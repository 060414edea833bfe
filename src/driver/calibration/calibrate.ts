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
import { gptq } from "../../quant/gptq.ts";
import { shrunk, symmetric } from "../../quant/moments.ts";
import { outputError } from "../../quant/output-error.ts";
import { quantizer } from "../../quant/quantizer.ts";
import { refine } from "../../quant/refine.ts";
import { segmentFunc, segments, type Segment } from "../../quant/segments.ts";
import { tapsOf, type Tap } from "../../quant/taps.ts";
import { decodeToF32 } from "../../tensor/codec.ts";
import { byteLength } from "../../tensor/dtype.ts";
import { formats, type FormatName } from "../../tensor/format.ts";
import { sourceNames, type Recipe } from "../../tensor/recipe.ts";
import { rowReader, type RowReader, type StoredTensor } from "../../tensor/recipe-rows.ts";
import { loadSegment, type Activations } from "./segment-code.ts";
import { nothingSeen, see, together, type Seen, type TapNames } from "./statistics.ts";
import { storedMatrix, type Coverage, type Matrix, type QuantReport, type Store } from "./store.ts";

/** Which format a matrix of the checkpoint takes, or undefined where it stays. */
export type FormatChoice = (name: string, role: WeightRole) => FormatName | undefined;

export type CalibrationTask = {
  /** The prefill function behind the pipeline's first phase. */
  readonly func: Func;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly choose: FormatChoice;
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
        store.put(
          i,
          taps.flatMap((tap, t) => quantizeTap(func, tap, seen[t] ?? nothingSeen(tap), task, reader)),
          coverage,
        );
      }
      task.onSegment?.(i + 1, last + 1);
      if (i === last || !segment.output) break;
      const whole = segmentFunc(func, segment, [{ name: "x", value: segment.output }]);
      const { module } = runPass({ funcs: [whole] }, quantizeWeights(storeChoice(store, task.choose)));
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

/** The matrices of a store as what the quantizing pass puts in the place of weights. */
export const storeChoice =
  (store: Store, choose: FormatChoice): WeightChoice =>
  (name, role) => {
    const format = choose(name, role);
    return format && storedMatrix(store, name, format);
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

const matrixName = (matrix: Recipe): string => sourceNames(matrix).join("+");

/** What the experts of a layer saw; told once, where their first matrices are. */
function coverageOf(func: Func, tap: Tap, seen: Seen | undefined): readonly Coverage[] {
  if (tap.kind === "dense" || tap.x.type.dims.length === 3 || !seen) return [];
  return [{ layer: nameOf(func, tap.weight), tokens: seen.experts.map((it) => it.tokens) }];
}

function nameOf(func: Func, weight: Value): string {
  const maker = definitions(func).get(weight);
  return isOp(maker, "weight") ? (sourceNames(maker.attrs.recipe)[0] ?? "") : "";
}

/** All matrices of a tap's weight, quantized on what it saw. */
function quantizeTap(
  func: Func,
  tap: Tap,
  seen: Seen,
  task: CalibrationTask,
  reader: RowReader,
): readonly Matrix[] {
  const maker = definitions(func).get(tap.weight);
  const role = roleOf(edit(func).site, tap.weight);
  if (!isOp(maker, "weight") || !role) return [];
  const { recipe } = maker.attrs;
  const layer = together(seen);
  // A stack's parts are the experts; what is no stack cannot be told apart by them.
  const perExpert = tap.kind === "routed" && recipe.kind === "stack" ? recipe.parts : undefined;
  const quantizeAll = (of: Recipe, hessian: Float64Array): readonly Matrix[] =>
    matricesOf(of).flatMap((matrix) => {
      const format = task.choose(matrixName(matrix), role);
      return format ? [quantizeMatrix(matrix, format, hessian, reader)] : [];
    });
  if (!perExpert) return quantizeAll(recipe, symmetric(layer));
  return perExpert.flatMap((of, e) =>
    quantizeAll(of, shrunk(seen.experts[e] ?? layer, layer, task.minExpertTokens)),
  );
}

function quantizeMatrix(
  matrix: Recipe,
  format: FormatName,
  hessian: Float64Array,
  reader: RowReader,
): Matrix {
  const [rows = 1, cols = 1] = matrix.shape;
  const stored = new Uint8Array(byteLength(matrix.dtype, rows * cols));
  reader.read(matrix, 0, stored);
  const w = new Float32Array(rows * cols);
  decodeToF32(matrix.dtype, stored, w);
  const start = gptq(w, rows, cols, hessian, formats[format]);
  const found = refine(w, rows, cols, hessian, formats[format], start);
  const error = outputError(w, found, rows, cols, hessian, formats[format]);
  return { name: matrixName(matrix), format, rows, cols, found, error };
}
