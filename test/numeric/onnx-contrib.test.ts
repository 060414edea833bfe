/** onnxruntime's own operators compute what onnxruntime computes (fixtures/scripts/make-contrib.py). */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readDatum } from "../../fixtures/scripts/test-data.ts";
import { emitOnnx } from "../../src/driver/onnx/compile-onnx.ts";
import { write } from "../../src/driver/compile.ts";
import { elementsOf } from "../../src/frontend/onnx/reading/tensor.ts";
import type { Tensor } from "../../src/interp/tensor.ts";
import { readPlan } from "../../src/plan/read-plan.ts";
import { runGraph } from "../../src/runtime/graph.ts";
import { root } from "../support/moec.ts";
import { tempFolder } from "../support/temp.ts";

const folder = join(root, "fixtures/contrib");
const temp = tempFolder();

test("operators of com.microsoft give the results of onnxruntime", () => {
  const script = join(root, "fixtures/scripts/conformance.ts");
  const done = spawnSync(process.execPath, [script, folder], { encoding: "utf8" });
  expect(done.stdout).toMatch(/\n22 passed, 0 failed\n$/);
});

async function data(name: string, kind: "input" | "output", i: number): Promise<Tensor> {
  const datum = await readDatum(join(folder, name, `test_data_set_0/${kind}_${i}.pb`), undefined);
  if (!datum || "length" in datum || datum.dtype === "string") throw new Error("test data are tensors");
  return { dtype: datum.dtype, shape: datum.shape, data: Float64Array.from(elementsOf(datum)) };
}

test.each(readdirSync(folder))(
  "%s does so from a plan, its weights unpacked on the way to disk",
  async (name) => {
    const dir = join(temp, name);
    await write(dir, await emitOnnx(join(folder, name, "model.onnx"), {}));
    const plan = readPlan(dir);
    const { inputs = [], outputs = [] } = plan.manifest.graph ?? {};
    const given = await Promise.all(
      inputs.map(async (it, i) => [it.name, await data(name, "input", i)] as const),
    );
    const results = runGraph(plan, new Map(given));
    for (const [i, { name: output }] of outputs.entries()) {
      const wanted = await data(name, "output", i);
      const found = results.get(output);
      expect(found?.shape).toEqual(wanted.shape);
      wanted.data.forEach((x, j) =>
        expect(Math.abs((found?.data[j] ?? NaN) - x)).toBeLessThan(1e-3 * Math.abs(x) + 1e-5),
      );
    }
  },
);
