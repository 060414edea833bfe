/** An exported graph as a decoder: what it computes in pieces is what the graph computes at once. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { withKnownTurns } from "../../src/driver/onnx/known-turns.ts";
import { readHeader } from "../../src/frontend/safetensors/header.ts";
import { asDecoder } from "../../passes/raise/decoder.ts";
import { interpret } from "../../src/interp/interpret.ts";
import type { Tensor } from "../../src/interp/tensor.ts";
import { buildFunc } from "../../src/ir/builder.ts";
import { isOp, type Func } from "../../src/ir/graph.ts";
import { constant, source } from "../../src/tensor/recipe.ts";
import { writeSafetensors } from "../../src/tensor/safetensors-file.ts";
import { randomWeight } from "../support/numeric.ts";
import { tempFolder } from "../support/temp.ts";

const [width, heads, vocab] = [8, 2, 11];

/** A layer of attention over embeddings, with a batch of one as exporters have it. */
function graph(): Func {
  const b = buildFunc("main");
  const w = (name: string, ...shape: number[]) => b.op("weight", [], { recipe: source(name, "f32", shape) });
  const ids = b.param("input_ids", { dtype: "i64", dims: [1, "s"] });
  const embedded = b.op("take", [w("table", vocab, width), ids], { axis: 0 });
  const x = b.op("reshape", [embedded], { dims: ["s", width] });
  const positions = b.op("iota", [], { dims: ["s"], axis: 0 });
  const project = (name: string) =>
    b.op("reshape", [b.op("linear", [x, w(name, width, width)], {})], { dims: ["s", heads, width / heads] });
  const turned = (name: string) =>
    b.op("rope", [project(name), positions, w("frequencies", 2)], { pairs: "halves", scale: 1 });
  const seen = b.op("attention", [turned("q"), turned("k"), project("v")], { scale: 0.5 });
  const sum = b.op("add", [x, b.op("reshape", [seen], { dims: ["s", width] })], {});
  const normed = b.op("rmsNorm", [sum, w("gain", width)], { eps: 1e-6 });
  const logits = b.op("linear", [normed, w("head", vocab, width)], {});
  b.result("logits", b.op("reshape", [logits], { dims: [1, "s", vocab] }));
  return b.finish();
}

const whole = (dtype: "i32" | "i64", shape: readonly number[], values: readonly number[]): Tensor => ({
  dtype,
  shape,
  data: dtype === "i32" ? Int32Array.from(values) : Float64Array.from(values),
});
const empty: Tensor = { dtype: "f32", shape: [0, heads, width / heads], data: new Float32Array() };

describe("a graph as a decoder", () => {
  const ids = [3, 1, 4, 1, 5];
  const decoder = asDecoder(graph());
  const funcs = "module" in decoder ? decoder.module.funcs : [];
  const call = (name: string, some: readonly number[], from: number, caches: ReadonlyMap<string, Tensor>) => {
    const func = funcs.find((f) => f.name === name);
    if (!func) throw new Error(`there is no ${name}`);
    const inputs = new Map([
      ["ids", whole("i32", [some.length], some)],
      [
        "positions",
        whole(
          "i32",
          [some.length],
          some.map((_, i) => from + i),
        ),
      ],
      ["keys.0", caches.get("keys.0") ?? empty],
      ["values.0", caches.get("values.0") ?? empty],
    ] as const);
    return interpret(func, inputs, randomWeight);
  };

  test("gives the graph's logits, at once and token by token", () => {
    const wanted = interpret(graph(), new Map([["input_ids", whole("i64", [1, 5], ids)]]), randomWeight).get(
      "logits",
    );
    const all = call("prefill", ids, 0, new Map()).get("logits");
    expect([...(all?.data ?? [])]).toEqual([...(wanted?.data ?? [])]);
    let caches = call("prefill", ids.slice(0, 3), 0, new Map());
    for (const [i, id] of ids.slice(3).entries()) {
      caches = call("decode", [id], 3 + i, caches);
      const row = wanted?.data.subarray((3 + i) * vocab, (4 + i) * vocab) ?? [];
      caches.get("logits")?.data.forEach((x, j) => expect(x).toBeCloseTo(row[j] ?? NaN, 5));
    }
  });

  test("counts layers and words", () => {
    expect(decoder).toMatchObject({ layers: 1, vocab });
  });

  test("has the frequencies of its turns read from the file, for devices that have tables made of them", () => {
    const file = join(tempFolder(), "weights.safetensors");
    const data = new Uint8Array(Float32Array.of(1, 0.5).buffer);
    writeSafetensors(file, [{ name: "frequencies", dtype: "f32", shape: [2], data }]);
    const known = withKnownTurns({ funcs }, readHeader(file).tensors);
    const recipes = known.funcs.flatMap(({ body }) => body.flatMap((node) => (isOp(node, "weight") ? [node.attrs.recipe] : []))); // prettier-ignore
    expect(recipes.filter((it) => it.kind === "literal")).toEqual(Array.from({ length: 4 }, () => constant([2], [1, 0.5]))); // prettier-ignore
  });

  test("is refused where tokens meet otherwise than by attention", () => {
    const b = buildFunc("main");
    const ids = b.param("input_ids", { dtype: "i64", dims: [1, "s"] });
    const table = b.op("weight", [], { recipe: source("table", "f32", [vocab, vocab]) });
    const x = b.op("reshape", [b.op("take", [table, ids], { axis: 0 })], { dims: ["s", vocab] });
    b.result(
      "logits",
      b.op("cumulate", [x], { axis: 0, how: "sum", exclusive: false, reverse: false }, ["running sum"]),
    );
    expect(asDecoder(b.finish())).toEqual({ because: "cumulate (running sum) is no operator of a decoder" });
  });
});
