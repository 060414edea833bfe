/** Collectives over shared memory give what their reference semantics say, whatever the ranks, sizes and orders. */
import { once } from "node:events";
import { closeSync, ftruncateSync, openSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { buildFunc } from "../../src/ir/builder.ts";
import type { Func, Value } from "../../src/ir/graph.ts";
import { verify } from "../../src/ir/verifier.ts";
import { interpretRanks } from "../../src/interp/ranks.ts";
import type { Tensor } from "../../src/interp/tensor.ts";
import { channelsOf } from "../../src/plan/program/channels.ts";
import { weightShelf } from "../../src/plan/weights.ts";
import { planFabric } from "../../src/runtime/ranks/fabric.ts";
import { assemble } from "../../src/wasm/assemble.ts";
import { cpuFunction } from "../../targets/cpu/target.ts";
import type { RankTask } from "../support/collective-rank.ts";
import { randomSource } from "../support/random.ts";
import { tempFolder } from "../support/temp.ts";

const temp = tempFolder();
const most = 4;
const threads = Array.from(
  { length: most },
  () => new Worker(new URL("../support/collective-rank.ts", import.meta.url)),
);
afterAll(() => Promise.all(threads.map((it) => it.terminate())));

/** One collective: its group in the order of the sum, and for each member how many rows it brings. */
type Step = {
  readonly kind: "allReduce" | "reduceScatter" | "allGather" | "dispatch" | "send";
  readonly group: readonly number[];
  readonly rows: readonly number[];
  readonly width: number;
  readonly axis: 0 | 1;
  readonly seed: number;
};

const arbitraryStep: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom("allReduce", "reduceScatter", "allGather", "dispatch", "send"),
  group: fc.shuffledSubarray([0, 1, 2, 3], { minLength: 2, maxLength: most }),
  // A rank whose sequence has ended takes part with no rows.
  rows: fc.array(fc.oneof(fc.constant(0), fc.nat(5)), { minLength: most, maxLength: most }),
  width: fc.integer({ min: 1, max: 6 }),
  axis: fc.constantFrom(0, 1),
  seed: fc.nat(1000),
});

const experts = 5;
/** What is told on the way is never more than all tokens, here all rows of all ranks. */
const mostRows = 4 * 5;

type Builder = ReturnType<typeof buildFunc>;
type Param = (dtype: "f32" | "i32", rows: number, width: number, least?: number, below?: number) => Value;

/** One member's part of a step. */
function addPart(b: Builder, param: Param, step: Step, rank: number, name: string): void {
  const { kind, axis, rows, seed } = step;
  const group = kind === "send" ? step.group.slice(0, 2) : step.group;
  const width = Math.max(step.width, group.length); // each rank has a column of it
  const index = group.indexOf(rank);
  if (index < 0) return;
  const own = rows[index] ?? 0;
  const [same, parts] = [rows[0] ?? 0, group.length];
  switch (kind) {
    case "allReduce":
      return b.result(name, b.op("allReduce", [param("f32", same, width)], { group }));
    case "reduceScatter": {
      // The parts may overlap or leave something out: each rank has bounds of its own.
      const size = axis === 0 ? same : width;
      const begin = Math.floor((size * index) / parts);
      const end = Math.floor((size * (index + 1)) / parts) + (index === 0 ? Math.min(1, size - 1) : 0);
      const to = Math.max(begin, Math.min(size, end));
      return b.result(
        name,
        b.op("reduceScatter", [param("f32", same, width)], { group, axis, begin, end: to }),
      );
    }
    case "allGather": {
      const sizes = group.map((_, i) => (axis === 0 ? (rows[i] ?? 0) : 1 + ((rows[i] ?? 0) % width)));
      const size = sizes.reduce((n, it) => n + it, 0);
      const x = axis === 0 ? param("f32", own, width) : param("f32", same, sizes[index] ?? 1);
      return b.result(name, b.op("allGather", [x], { group, axis, size }));
    }
    case "dispatch": {
      // Every expert once, some twice, dealt out by the seed; some ranks may hold none.
      const all = Array.from({ length: experts + (seed % 3) }, (_, i) => (i * 3 + seed) % experts);
      const cuts = group.map((_, i) =>
        Math.floor((all.length * ((i + seed) % (i + 2) === 0 ? i : i + 1)) / parts),
      );
      const starts = [0, ...cuts.slice(0, -1), all.length].sort((a, c) => a - c);
      const k = 1 + (seed % 3);
      const operands = [param("f32", own, width), param("i32", own, k, 0, experts), param("f32", own, k)];
      const [arrived, slots, shares, from] = b.multi("dispatch", operands, {
        group,
        held: all,
        starts,
        count: name,
      });
      if (!arrived || !slots || !shares || !from) throw new Error("dispatch has four results");
      b.result(`${name}.slots`, slots);
      b.result(`${name}.shares`, shares);
      b.result(`${name}.rows`, arrived);
      return b.result(`${name}.back`, b.op("combine", [arrived, from], { group, size: own }));
    }
    case "send":
      return index === 0
        ? b.result(name, b.op("send", [param("f32", same, width)], { group }))
        : b.result(name, b.op("recv", [], { group, dtype: "f32", dims: [same, width] }));
  }
}

/** What one rank does: its parts of the steps, in order, and what goes in. */
function rankOf(steps: readonly Step[], rank: number): { func: Func; inputs: ReadonlyMap<string, Tensor> } {
  const b = buildFunc("main");
  const inputs = new Map<string, Tensor>();
  // The engine fills these two in any program.
  const param: Param = (dtype, rows, width, least = 0, below = 0) => {
    const name = `p${inputs.size}`;
    const next = randomSource(`${rank} ${name} ${JSON.stringify(steps)}`);
    const number = () => (dtype === "i32" ? least + Math.floor(next() * (below - least)) : next() * 2 - 1);
    const values = Array.from({ length: rows * width }, number);
    const data = dtype === "i32" ? Int32Array.from(values) : Float32Array.from(values);
    inputs.set(name, { dtype, shape: [rows, width], data });
    return b.param(name, { dtype, dims: [rows, width] });
  };
  steps.forEach((step, i) => addPart(b, param, step, rank, `r${i}`));
  return { func: b.finish(), inputs };
}

let cases = 0;

async function onThreads(
  ranks: readonly { readonly func: Func; readonly inputs: ReadonlyMap<string, Tensor> }[],
  expected: readonly ReadonlyMap<string, Tensor>[],
): Promise<readonly ReadonlyMap<string, Float32Array>[]> {
  const lowered = ranks.map(({ func }) => cpuFunction(func, weightShelf(), mostRows));
  const fabric = planFabric(join(temp, `fabric-${cases++}`), channelsOf(lowered.map((it) => [it.program])));
  const fd = openSync(fabric.file, "w");
  ftruncateSync(fd, fabric.bytes);
  closeSync(fd);
  const kernels = (await lowered[0]?.kernels(assemble)) ?? new Uint8Array();
  const answers = threads.map(async (thread, rank): Promise<ReadonlyMap<string, Float32Array>> => {
    const results = [...(expected[rank] ?? [])].flatMap(([name, { data }]) => {
      const view = lowered[rank]?.results.get(name);
      return view ? [{ name, view, size: data.length }] : [];
    });
    const inputs = new Map(
      [...(ranks[rank]?.inputs ?? [])].map(([name, { data }]) => [name, data as Float32Array | Int32Array]),
    );
    const program = lowered[rank]?.program;
    if (!program) throw new Error("there is a program for each rank");
    const answer = once(thread, "message");
    thread.postMessage({ program, kernels, fabric, rank, inputs, results } satisfies RankTask);
    const [found] = (await answer) as [[string, Float32Array][]];
    return new Map(found);
  });
  return Promise.all(answers);
}

test("any sequence of collectives on any groups", { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(arbitraryStep, { minLength: 1, maxLength: 8 }), async (steps) => {
      const ranks = threads.map((_, rank) => rankOf(steps, rank));
      for (const { func } of ranks) expect(verify({ funcs: [func] })).toEqual([]);
      const expected = interpretRanks(ranks, () => {
        throw new Error("there are no weights");
      });
      const found = await onThreads(ranks, expected);
      expected.forEach((results, rank) => {
        for (const [name, { data, dtype }] of results) {
          const raw = found[rank]?.get(name);
          const got = dtype === "i32" ? new Int32Array(raw?.buffer ?? new ArrayBuffer(0)) : raw;
          expect([...(got ?? [])], `rank ${rank}, ${name}`).toEqual([...data]);
        }
      });
    }),
    { numRuns: 60 },
  );
});
