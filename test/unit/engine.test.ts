/** The engine's threads: in step, and none waits for one that has died. */
import { describe, expect, test } from "vitest";
import type { Program } from "../../src/plan/program/program.ts";
import { createEngine } from "../../src/runtime/engine/engine.ts";
import { assemble } from "../../src/wasm/assemble.ts";

/** to[i] = from[99 - i] + 1: each thread reads what another wrote. A share that does not begin at 0 runs `other` first. */
const kernel = (other: string): string =>
  `(func (export "mirror") (param $from i32) (param $to i32) (param $begin i32) (param $end i32) (local $i i32)
    (if (local.get $begin) (then ${other}))
    (local.set $i (local.get $begin))
    (block $out (loop $next
      (br_if $out (i32.ge_s (local.get $i) (local.get $end)))
      (f32.store (i32.add (local.get $to) (i32.mul (local.get $i) (i32.const 4)))
        (f32.add (f32.const 1)
          (f32.load (i32.add (local.get $from) (i32.mul (i32.sub (i32.const 99) (local.get $i)) (i32.const 4))))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next))))`;

const buffer = (name: string, bytes: number): Program["buffers"][number] => ({
  name,
  rows: { times: 1, dim: "1" },
  rowBytes: bytes,
});

/** `steps` mirrors back and forth between two buffers; the last lands in `a`. */
const program = (steps: number): Program => ({
  name: "decode",
  maxTokens: 1,
  buffers: [buffer("ids", 4), buffer("positions", 4), buffer("a", 400), buffer("b", 400)],
  steps: Array.from({ length: steps }, (_, i) => ({
    kernel: "mirror",
    args: (i % 2 ? ["b", "a"] : ["a", "b"]).map((name) => ({ kind: "buffer", name, offset: 0 })),
    units: { times: 100, dim: "1" },
    value: "x",
  })),
  inputs: { ids: "ids", positions: "positions" },
  logits: "a",
  routers: [],
  scratchBytes: 0,
});

const engineOf = async (other: string, threads: number, steps: number) =>
  createEngine({
    kernels: await assemble(`(module (import "env" "memory" (memory 1 65536 shared)) ${kernel(other)})`),
    programs: [program(steps)],
    caches: [],
    weights: [],
    loadWeight: () => {},
    context: 8,
    threads,
  });

describe("threads", () => {
  test.each([1, 2, 3])("%i of them share every step and wait for each other", async (threads) => {
    const engine = await engineOf("", threads, 1000);
    try {
      expect(new Set(engine.run("decode", [0], 0))).toEqual(new Set([1000]));
    } finally {
      await engine.close();
    }
  });
  test("one that fails ends the run with an error", async () => {
    const engine = await engineOf("unreachable", 2, 3);
    try {
      expect(() => engine.run("decode", [0], 0)).toThrow();
    } finally {
      await engine.close();
    }
  });
});
