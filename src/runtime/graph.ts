import type { Dim } from "../ir/dim.ts";
import { parseModule } from "../ir/parser.ts";
import { interpret } from "../interp/interpret.ts";
import { bytesFromTensor, tensorFromBytes } from "../interp/stored.ts";
import type { Tensor } from "../interp/tensor.ts";
import { storedWeights, weightKey } from "../plan/graph-weights.ts";
import { readHeader } from "../frontend/safetensors/header.ts";
import { storedForm } from "../plan/stored-weight.ts";
import type { Plan } from "../plan/read-plan.ts";
import { fail } from "../support/diagnostics.ts";
import type { Recipe } from "../tensor/recipe.ts";
import { readRegion } from "../tensor/source.ts";
import { writeSafetensors } from "../tensor/safetensors-file.ts";

type GraphValue = NonNullable<Plan["manifest"]["graph"]>["inputs"][number];

const formatShape = (dims: readonly Dim[]): string => `[${dims.join(",")}]`;

/** Whether sizes can stand for dims: equal numbers, and each name the same size everywhere. */
function fits(shape: readonly number[], dims: readonly Dim[], names: Map<string, number>): boolean {
  return (
    shape.length === dims.length &&
    dims.every((d, i) => {
      const size = shape[i] ?? 0;
      if (typeof d === "number") return d === size;
      const known = names.get(d) ?? size;
      names.set(d, known);
      return known === size;
    })
  );
}

/**
 * The inputs of a graph out of a safetensors file; tensors of other names are left alone. Throws `run/input` for one that is
 * missing or of another type.
 */
export function readInputs(file: string, wanted: readonly GraphValue[]): ReadonlyMap<string, Tensor> {
  const { tensors } = readHeader(file);
  const names = new Map<string, number>();
  const inputs = new Map<string, Tensor>();
  for (const { name, dtype, dims } of wanted) {
    const found = tensors.get(name);
    const expected = `${dtype}${formatShape(dims)}`;
    const where = { kind: "tensor", file, tensor: name } as const;
    if (!found) return fail("run/input", { kind: "file", file }, name, "nothing", expected);
    if (found.dtype !== dtype || !fits(found.shape, dims, names))
      return fail("run/input", where, name, `${found.dtype}${formatShape(found.shape)}`, expected);
    inputs.set(name, tensorFromBytes(dtype, found.shape, readRegion(found.region)));
  }
  return inputs;
}

/** Write results under their names. Throws `plan/write`. */
export function writeOutputs(file: string, outputs: ReadonlyMap<string, Tensor>): void {
  const tensors = [...outputs].map(([name, tensor]) => ({
    name,
    dtype: tensor.dtype,
    shape: tensor.shape,
    data: bytesFromTensor(tensor),
  }));
  writeSafetensors(file, tensors);
}

/** Run a plan of a graph by the reference interpreter. Throws `run/no-graph` for a plan of another kind. */
export function runGraph(plan: Plan, inputs: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> {
  if (!plan.manifest.graph) return fail("run/no-graph", { kind: "file", file: plan.dir });
  const file = plan.file("module.mir");
  const [func] = parseModule(plan.read("module.mir").toString(), file).funcs;
  if (!func) return fail("plan/damaged", { kind: "file", file }, "module.mir", "it has no function");
  const weights = storedWeights(func);
  const load = (recipe: Recipe): Tensor => {
    const request = weights.get(weightKey(recipe));
    if (!request) throw new Error("a weight of the function is not among its weights");
    const bytes = new Uint8Array(storedForm(request).bytes);
    plan.loadWeight(request.name, bytes);
    return tensorFromBytes(recipe.dtype, recipe.shape, bytes);
  };
  return interpret(func, inputs, load);
}
