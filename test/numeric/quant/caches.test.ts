/** Caches of int8: the engine against the interpreter to the bit, and whole models by both programs against their golden logits. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { quantizeCaches } from "../../../passes/quantize/caches.ts";
import { loadSegment } from "../../../src/driver/calibration/segment-code.ts";
import { compile } from "../../../src/driver/compile.ts";
import { interpret } from "../../../src/interp/interpret.ts";
import { floats, type Tensor } from "../../../src/interp/tensor.ts";
import { buildFunc } from "../../../src/ir/builder.ts";
import { printModule } from "../../../src/ir/printer.ts";
import { parseModule } from "../../../src/ir/parser.ts";
import { tensor } from "../../../src/ir/types.ts";
import { verify } from "../../../src/ir/verifier.ts";
import { readPlan } from "../../../src/plan/read-plan.ts";
import { quantizer } from "../../../src/quant/quantizer.ts";
import { openSession } from "../../../src/runtime/session.ts";
import { rowReader } from "../../../src/tensor/recipe-rows.ts";
import { readGolden } from "../../support/checkpoints.ts";
import { moec, root } from "../../support/moec.ts";
import { randomSource } from "../../support/random.ts";
import { tempFolder } from "../../support/temp.ts";

const folder = tempFolder();

/** Rows that go through a cache of the given inner dims, the last `joined` elements of each from a part of their own. */
function throughCache(inner: readonly number[], joined: number) {
  const b = buildFunc("prefill");
  const cache = b.param("cache", tensor("f32", "P", ...inner));
  const width = inner.at(-1) ?? 1;
  const x = b.param("x", tensor("f32", "S", ...inner.slice(0, -1), width - joined));
  const tail = joined > 0 ? [b.param("tail", tensor("f32", "S", joined))] : [];
  const rows = joined > 0 ? b.op("concat", [x, ...tail], { axis: 1 }) : x;
  b.result("out", b.op("cacheAppend", [cache, rows], {}));
  const [func] = quantizeCaches({ funcs: [b.finish()] }).funcs;
  if (!func) throw new Error("a function stays one");
  const restored = func.body.at(-1)?.results[0] ?? expect.fail("it has a body");
  return { func: { ...func, results: [{ name: "out", value: restored }] }, whole: func };
}

test.each([
  [[48], 0, ["i8[P,48]", "f32[P]"]],
  [[80], 16, ["i8[P,5,16]", "f32[P,5]"]],
  [[43], 3, ["i8[P,43]", "f32[P]"]],
  [[2, 24], 0, ["i8[P,2,24]", "f32[P,2]"]],
  [[3, 7], 0, ["i8[P,3,7]", "f32[P,3]"]],
] as const)("rows %j, of which %i joined: the same numbers to the bit", async (inner, joined, types) => {
  const { func, whole } = throughCache(inner, joined);
  expect(verify({ funcs: [whole] })).toEqual([]);
  expect(printModule(parseModule(printModule({ funcs: [whole] })))).toBe(printModule({ funcs: [whole] }));
  const [codes, scales] = func.params;
  expect([codes, scales].map((it) => `${it?.type.dtype}[${String(it?.type.dims)}]`)).toEqual(types);
  const tokens = 5;
  const next = randomSource(`${inner.join()} ${joined}`);
  const empty = (shape: readonly number[], dtype: "i8" | "f32"): Tensor => ({
    dtype,
    shape: [0, ...shape],
    data: dtype === "i8" ? new Int32Array() : new Float32Array(),
  });
  const inputs = new Map<string, Tensor>();
  for (const { name, type } of func.params) {
    const sizes = type.dims.slice(1).map(Number);
    const length = sizes.reduce((n, d) => n * d, tokens);
    // One row of zeros, and what is large beside what is small.
    const value = (_: unknown, i: number) => (i < length / tokens ? 0 : (next() - 0.5) * 10 ** (i % 4));
    if (type.dims[0] === "P") inputs.set(name, empty(sizes, type.dtype === "i8" ? "i8" : "f32"));
    else inputs.set(name, floats([tokens, ...sizes], Float32Array.from({ length }, value)));
  }
  const reader = rowReader(() => expect.fail("there is no weight"), quantizer);
  const code = await loadSegment(func, reader, tokens, 1);
  const given = [...inputs].filter(([name]) => name === "x" || name === "tail");
  const found = code.run(new Map(given.map(([name, it]) => [name, Float32Array.from(it.data)])), tokens);
  await code.close();
  const want = interpret(func, inputs, () => expect.fail("there is no weight")).get("out");
  expect(Array.from(found.get("out") ?? [])).toEqual(Array.from(want?.data ?? []));
});

describe.each(["tiny/v3", "tiny/qwen2-distill", "deep/v2-lite-tiny"])("%s", (checkpoint) => {
  test("is near its golden logits at once and token by token, in less room", async () => {
    const source = join(root, "fixtures", checkpoint);
    const [dir, plain] = [join(folder, checkpoint), join(folder, `${checkpoint}-plain`)];
    await compile(source, dir, { caches: "int8", batchTokens: 24 });
    await compile(source, plain, {});
    const rowBytes = (plan: string) =>
      (readPlan(plan).manifest.ranks[0]?.caches ?? []).reduce((n, it) => n + it.rowBytes, 0);
    expect(rowBytes(dir) / rowBytes(plain)).toBeLessThan(0.45);
    const golden = readGolden(source);
    const wanted = golden.logits(0);
    const largest = wanted.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    const session = openSession(readPlan(dir), 1);
    for (const by of ["prefill", "decode"] as const) {
      let error = 0;
      session.restart();
      await session.feed(golden.prompts[0] ?? [], by, (logits, position) =>
        logits.forEach(
          (x, i) => (error = Math.max(error, Math.abs(x - (wanted[position * logits.length + i] ?? NaN)))),
        ),
      );
      expect(error / largest).toBeLessThan(0.05);
      expect(error).toBeGreaterThan(0);
    }
    await session.close();
  });
});

test("tensor ranks would part its rows, and are refused", () => {
  const { code, out } = moec([
    ...["compile", "fixtures/tiny/v3", "--dry-run", "--json", "--kv", "int8", "--parallel", "tp2"],
  ]);
  expect([code, out]).toEqual([2, expect.stringContaining("--kv is int8 beside tensor ranks")]);
});
