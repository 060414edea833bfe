/** ONNX models at the command line: compiled to graphs, run on tensors, refused where they are no decoders. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readHeader } from "../../src/frontend/safetensors/header.ts";
import { writeSafetensors } from "../../src/tensor/safetensors-file.ts";
import { moec, root } from "../support/moec.ts";
import { tempFolder } from "../support/temp.ts";

const temp = tempFolder();
const model = join(root, "fixtures/contrib/matmul_4bits/model.onnx");
const plan = join(temp, "plan");

const inputs = (name: string, shape: readonly number[]): string => {
  const file = join(temp, `${name}-${shape.join("x")}.safetensors`);
  const data = new Uint8Array(4 * shape.reduce((n, d) => n * d, 1));
  writeSafetensors(file, [{ name, dtype: "f32", shape, data }]);
  return file;
};

describe("an ONNX model", () => {
  test("is compiled to a graph that takes and gives tensors", () => {
    const done = moec(["compile", model, "-o", plan, "--json"]);
    expect(done.code).toBe(0);
    expect(JSON.parse(done.out)).toMatchObject({
      target: "reference",
      inputs: [{ name: "x", dtype: "f32", dims: [3, 64] }],
      operators: { linear: 1, weight: 1 },
      missed: [],
    });
    const out = join(temp, "out.safetensors");
    const ran = moec(["run", plan, "--inputs", inputs("x", [3, 64]), "--outputs", out]);
    expect(ran).toMatchObject({ code: 0, out: "y: f32[3,6]\n" });
    expect(readHeader(out).tensors.get("y")?.shape).toEqual([3, 6]);
  });

  test.each([
    ["another shape", ["--inputs", inputs("x", [4, 64])], "run/input"],
    ["another name", ["--inputs", inputs("z", [3, 64])], "run/input"],
    ["tokens", ["--ids", "1,2"], "run/graph"],
  ])("refuses %s", (_, args, code) => {
    const done = moec(["run", plan, ...args, "--json"]);
    expect(done.code).toBe(2);
    expect(JSON.parse(done.out)).toMatchObject({ error: [{ code }] });
  });

  test.each([
    [["-c", "64"], "onnx/graph-option", "--context"],
    [["--prefill-tokens", "8"], "onnx/graph-option", "--prefill-tokens"],
    [["--kv", "int8"], "onnx/graph-option", "--kv"],
    [["--target", "ascend-910b3"], "onnx/graph-option", "--target"],
    [["--memory-per-rank", "1GiB"], "onnx/graph-option", "--memory-per-rank"],
    [["--redundant-experts", "1"], "onnx/graph-option", "--redundant-experts"],
    [["--parallel", "tp2"], "cluster/graph", "--parallel"],
    [["--cluster", "8x ascend-910b3"], "cluster/graph", "--cluster"],
  ])("is refused as a graph with %j, which only a decoder's plan heeds", (args, code, flag) => {
    const done = moec(["compile", model, "--dry-run", ...args, "--json"]);
    expect(done.code).toBe(2);
    expect(JSON.parse(done.out)).toMatchObject({ error: [{ code, where: { flag } }] });
  });

  test("is refused as a decoder where it is none", () => {
    const done = moec(["compile", model, "--as", "decoder", "--dry-run", "--json"]);
    expect(done.code).toBe(3);
    expect(JSON.parse(done.out)).toMatchObject({ error: [{ code: "onnx/not-decoder" }] });
  });

  test("shows its routers and experts", () => {
    const done = moec(["inspect", join(root, "fixtures/contrib/quantized_mixture/model.onnx"), "--json"]);
    expect(JSON.parse(done.out)).toMatchObject({
      raised: { routers: [{ experts: 4, topK: 2 }], experts: [{ experts: 4, inner: 32, width: 32 }] },
    });
  });
});
