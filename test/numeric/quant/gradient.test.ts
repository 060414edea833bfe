/** Gradients on the way back through a model, held to differences of its interpreted answers. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { pipeline } from "../../../passes/index.ts";
import { openModel } from "../../../src/driver/model.ts";
import { interpret } from "../../../src/interp/interpret.ts";
import { evaluateRecipe } from "../../../src/interp/kernels/recipe.ts";
import { floats, sizeOfShape, type Tensor } from "../../../src/interp/tensor.ts";
import { definitions, isOp, type Value } from "../../../src/ir/graph.ts";
import { runPasses } from "../../../src/pass/runner.ts";
import { backward, reads } from "../../../src/quant/gradient/rules.ts";
import { createProducts, productsCode } from "../../../src/quant/products.ts";
import { quantizer } from "../../../src/quant/quantizer.ts";
import { segmentFunc } from "../../../src/quant/segments/segments.ts";
import { createRandom } from "../../../src/support/random.ts";
import { decodeToF32 } from "../../../src/tensor/codec.ts";
import type { Recipe } from "../../../src/tensor/recipe.ts";
import { readRegion } from "../../../src/tensor/source.ts";
import { assemble } from "../../../src/wasm/assemble.ts";
import { root } from "../../support/moec.ts";

const models = ["v3-tiny", "v2-tiny", "v1-moe-tiny", "r1-distill-llama-tiny"];

test.each(models)("gradients of %s are what differences say", async (name) => {
  const { checkpoint, imported } = openModel(join(root, "fixtures/deep", name));
  const func = runPasses(imported.module, pipeline.slice(0, 1), {}).funcs[0];
  const embedding = func?.body.find((n) => isOp(n, "gather"));
  const x = embedding?.results[0];
  const logits = func?.results.find((r) => r.name === "logits")?.value;
  if (!func || !x || !logits || !embedding) throw new Error("a model embeds tokens and gives logits");
  const nodes = func.body.filter((n) => n !== embedding && !isOp(n, "weight") && !isOp(n, "constant"));
  const ids = [5, 9, 2, 7, 11, 3];
  const random = createRandom(1);
  const width = Number(x.type.dims[1]);
  const start = Float32Array.from({ length: ids.length * width }, () => random.float() - 0.5);
  const direction = start.map(() => random.float() - 0.5);

  const stored = (tensor: string): Tensor => {
    const entry = checkpoint.tensors.get(tensor);
    if (!entry) throw new Error(`no tensor ${tensor}`);
    const data = new Float32Array(sizeOfShape(entry.shape));
    decodeToF32(entry.dtype, readRegion(entry.region), data);
    return floats(entry.shape, data);
  };
  const weight = (recipe: Recipe) => evaluateRecipe(recipe, stored, quantizer);
  const kept = [...new Set(nodes.flatMap((n) => reads(n, nodes)))].filter((v) => nodes.some((n) => n.results.includes(v))); // prettier-ignore
  const results = [logits, ...kept].map((value, i) => ({ name: `${i}`, value }));
  const piece = segmentFunc(func, { nodes, input: x }, results);
  const run = (input: Float32Array<ArrayBuffer>): ReadonlyMap<string, Tensor> => {
    const given = new Map<string, Tensor>([["x", floats([ids.length, width], input)]]);
    for (const { name: param, type } of piece.params)
      if (param === "positions")
        given.set(param, { dtype: "i32", shape: [ids.length], data: Int32Array.from(ids.keys()) }); // prettier-ignore
      else if (param !== "x") given.set(param, floats([0, ...type.dims.slice(1).map(Number)]));
    return interpret(piece, given, weight, { dims: { S: ids.length, P: 0 } });
  };
  const before = run(start);
  const loss = Float32Array.from(before.get("0")?.data ?? [], () => random.float() - 0.5);
  const along = (by: number): number => {
    const out = run(start.map((v, i) => v + by * (direction[i] ?? 0))).get("0")?.data ?? [];
    return loss.reduce((sum, c, i) => sum + c * (out[i] ?? 0), 0);
  };

  const makers = definitions(func);
  const constant = (value: Value): Float32Array => {
    const maker = makers.get(value);
    if (isOp(maker, "weight")) return Float32Array.from(weight(maker.attrs.recipe).data);
    return Float32Array.from(isOp(maker, "constant") ? maker.attrs.values : [], Number);
  };
  const into = backward(
    nodes,
    {
      tokens: ids.length,
      products: createProducts(await productsCode(assemble)),
      weight: constant,
      forward: (value) => {
        if (value === x) return start;
        const at = kept.indexOf(value);
        if (at < 0) return Int32Array.from(ids.keys());
        const data = before.get(`${at + 1}`)?.data ?? [];
        return Float32Array.from(data);
      },
    },
    new Map([[logits, loss]]),
    () => {},
  );
  const found = into(x).reduce((sum, g, i) => sum + g * (direction[i] ?? 0), 0);
  const step = 1e-3;
  const expected = (along(step) - along(-step)) / (2 * step);
  expect(found / expected).toBeCloseTo(1, 2);
});
