import { definitions, isOp, type Func, type Node, type Value } from "../../src/ir/graph.ts";
import { formatRecipe, valueNames } from "../../src/ir/printer.ts";
import type { TensorType } from "../../src/ir/types.ts";
import type { Dim } from "../../src/ir/dim.ts";
import type {
  Arg,
  Buffer,
  Cache,
  CallLimits,
  Collective,
  Extent,
  Program,
  Step,
} from "../../src/plan/program/program.ts";
import type {
  CodeWeight,
  EngineWeight,
  PowerWeight,
  WeightLayout,
  WeightShelf,
} from "../../src/plan/weights.ts";
import { fail } from "../../src/support/diagnostics.ts";
import { quantizedParts, type QuantizedRecipe } from "../../src/tensor/quantized.ts";
import { constant, reshape, type Recipe } from "../../src/tensor/recipe.ts";
import { misfit } from "./accepts.ts";
import { codesWidth } from "./kernels/quantize.ts";
import { kernelName, type KernelSpec } from "./kernels/spec.ts";
import { lowerings } from "./lowerings.ts";
import { compactView, extentOf, fixed, runLength, type View } from "../../src/plan/views.ts";

/** What a lowering rule sees: the node's operands as views or weights, and where to put steps. */
export type LoweringContext = {
  readonly view: (value: Value | undefined) => View;
  /** A view whose rows are one run each, copied together if need be. */
  readonly compactRows: (value: Value | undefined) => View;
  readonly weight: (
    value: Value | undefined,
    layout: WeightLayout,
    shape?: readonly number[],
  ) => EngineWeight;
  /** The codes, scales and zero points of a quantized weight, or undefined where it is none. */
  readonly coded: (value: Value | undefined) => CodedMatrix | undefined;
  /** The scales of a weight of codes, packed. */
  readonly scales: (value: Value | undefined) => EngineWeight | PowerWeight;
  /** A weight of codes, packed. */
  readonly codes: (value: Value | undefined, bits: number) => CodeWeight;
  /** Whether activations are rounded to integers in this function. */
  readonly roundsActivations: boolean;
  readonly isWeight: (value: Value | undefined) => boolean;
  /** A fresh row-major buffer for a value, bound to it. */
  readonly output: (value: Value | undefined) => View;
  readonly scratchBuffer: (name: string, rows: Extent, rowBytes: number) => View;
  readonly bind: (value: Value | undefined, view: View) => void;
  readonly step: (spec: KernelSpec, args: readonly Arg[], units: Extent) => void;
  readonly collect: (group: readonly number[], collective: Collective) => void;
  /** The cache a cacheAppend grows, and its full view. */
  readonly cache: (value: Value | undefined) => {
    readonly name: string;
    readonly view: (dims: readonly Dim[]) => View;
  };
  readonly needScratch: (bytes: number) => void;
};

/** A quantized weight as kernels take it. */
export type CodedMatrix = {
  readonly codes: CodeWeight;
  readonly scales: EngineWeight | PowerWeight;
  readonly zeros?: CodeWeight;
  readonly group: number;
};

export type Lowered = {
  readonly program: Program;
  readonly kernels: readonly KernelSpec[];
  readonly caches: readonly Cache[];
  /** Where each result lies after the last step. */
  readonly results: ReadonlyMap<string, View>;
};

/** Lower a function to the engine's program. Operators without a rule are a diagnostic. */
export function lower(func: Func, shelf: WeightShelf, limits: CallLimits): Lowered {
  const made = definitions(func);
  const nameOf = valueNames(func);
  const buffers: Buffer[] = [];
  const steps: Step[] = [];
  const kernels = new Map<string, KernelSpec>();
  const views = new Map<Value, View>();
  const caches = new Map<Value, Cache>();
  let scratchBytes = 0;
  let current: Node | undefined;

  const addBuffer = (name: string, rows: Extent, rowBytes: number) => {
    buffers.push({ name, rows, rowBytes });
    return name;
  };
  for (const param of func.params) {
    const [first] = param.type.dims;
    const rowBytes = bytesOfRow(param.type, param.name);
    if (first === "P") caches.set(param, { name: param.name, rowBytes });
    else
      views.set(param, compactView(addBuffer(param.name, extentOf(first ?? 1), rowBytes), param.type.dims));
  }

  const step: LoweringContext["step"] = (spec, args, units) => {
    const kernel = kernelName(spec);
    kernels.set(kernel, spec);
    const value = current?.results[0];
    steps.push({ kernel, args, units, value: value ? nameOf(value) : "" });
  };
  const output: LoweringContext["output"] = (value) => {
    const v = present(value);
    const [first] = v.type.dims;
    const rowBytes = bytesOfRow(v.type, nameOf(v));
    const view = compactView(addBuffer(nameOf(v), extentOf(first ?? 1), rowBytes), v.type.dims);
    views.set(v, view);
    return view;
  };
  const view: LoweringContext["view"] = (value) => {
    const v = present(value);
    return views.get(v) ?? unsupported(made.get(v)?.op ?? "parameter", "it is read as an activation");
  };
  const recipeOf = (value: Value): Recipe | undefined => {
    const node = made.get(value);
    if (isOp(node, "weight")) return node.attrs.recipe;
    if (isOp(node, "constant")) return constant(node.attrs.dims, node.attrs.values);
    return undefined;
  };
  const known = (value: Value | undefined, otherwise: string): Recipe =>
    recipeOf(present(value)) ?? unsupported(current?.op ?? "operator", otherwise);
  const context: LoweringContext = {
    view,
    compactRows: (value) => {
      const v = view(value);
      return runLength(v) === undefined ? unsupported("copy", "rows are not one run") : v;
    },
    weight: (value, layout, shape) => {
      const recipe = known(value, "a weight is computed at run time");
      const shaped = shape ? reshape(recipe, shape) : recipe;
      return shelf.request(shaped, layout, formatRecipe(shaped));
    },
    coded: (value) => {
      const recipe = value && recipeOf(value);
      const parts = recipe && quantizedParts(recipe);
      if (!parts || parts.rotation > 1 || !fitsUnits(parts)) return undefined;
      const { codes, scales, zeros, group, bits } = parts;
      if (zeros && (zeros.dtype !== "i8" || zeros.shape.join() !== scales.shape.join())) return undefined;
      return {
        group,
        codes: shelf.codes(codes, bits, formatRecipe(codes)),
        scales: shelf.scales(scales, formatRecipe(scales)),
        ...(zeros && { zeros: shelf.codes(zeros, 8, formatRecipe(zeros)) }),
      };
    },
    scales: (value) => {
      const recipe = known(value, "its scales are computed at run time");
      return shelf.scales(recipe, formatRecipe(recipe));
    },
    codes: (value, bits) => {
      const recipe = known(value, "its codes are computed at run time");
      return shelf.codes(recipe, bits === 4 ? 4 : 8, formatRecipe(recipe));
    },
    roundsActivations: func.body.some((it) => isOp(it, "integerLinear") || isOp(it, "integerExperts")),
    isWeight: (value) => value !== undefined && recipeOf(value) !== undefined,
    output,
    scratchBuffer: (name, rows, rowBytes) => {
      const first = current?.results[0];
      const full = `${first ? nameOf(first) : ""}.${name}`;
      return { region: addBuffer(full, rows, rowBytes), offset: 0, dims: [], strides: [rowBytes / 4, 1] };
    },
    bind: (value, v) => void views.set(present(value), v),
    step,
    collect: (group, collective) => {
      const value = current?.results[0];
      steps.push({ collective, group, value: value ? nameOf(value) : "" });
    },
    cache: (value) => {
      const cache = caches.get(present(value)) ?? unsupported("cacheAppend", "its cache is not a parameter");
      return { name: cache.name, view: (dims) => compactView(cache.name, dims) };
    },
    needScratch: (bytes) => void (scratchBytes = Math.max(scratchBytes, bytes)),
  };

  for (const node of func.body) {
    current = node;
    if (node.op === "weight" || node.op === "constant") continue;
    const rule = lowerings[node.op] ?? unsupported(node.op, "it has no kernel");
    const why = misfit(node);
    if (why !== undefined) unsupported(node.op, why);
    rule(context, node as never); // the table gives each operator its own node type
  }
  const results = new Map(
    func.results.flatMap(({ name, value }) => (views.has(value) ? [[name, view(value)]] : [])),
  );
  const routers = func.body.flatMap((node) => {
    const [indices] = isOp(node, "router") ? node.results : [];
    if (!indices) return [];
    const { region, dims } = view(indices);
    return [{ buffer: region, rows: extentOf(dims[0] ?? 1), k: fixed(dims[1], "router") }];
  });
  const program: Program = {
    name: func.name,
    ...limits,
    buffers,
    steps,
    inputs: { ids: "ids", positions: "positions" },
    ...(results.has("logits")
      ? { logits: results.get("logits")?.region }
      : { kept: [...func.params.map((p) => p.name), ...[...results.values()].map((v) => v.region)] }),
    routers,
    scratchBytes,
  };
  return { program, kernels: [...kernels.values()], caches: [...caches.values()], results };
}

/** Bytes of one row of a value in memory: words, or codes filled up as `quantizeRows` leaves them. */
export function bytesOfRow({ dtype, dims }: TensorType, name: string): number {
  const sizes = dims.slice(1).map((d) => fixed(d, name));
  if (dtype !== "i8") return 4 * sizes.reduce((n, d) => n * d, 1);
  return sizes.slice(0, -1).reduce((n, d) => n * d, 1) * codesWidth(sizes.at(-1) ?? 1);
}

/** Kernels take groups of whole words, or one for a whole row. */
const fitsUnits = ({ group, codes }: QuantizedRecipe): boolean =>
  group % 8 === 0 || group >= (codes.shape.at(-1) ?? 1);

const unsupported = (op: string, why: string): never => fail("target/unsupported-op", undefined, op, why);

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("an operand is absent that the operator's definition requires");
  return value;
}
