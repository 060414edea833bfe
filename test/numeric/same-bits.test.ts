/** What the CPU's kernels and the simulated vector units must do alike: they are held to each other to the last bit. */
import { expect, test } from "vitest";
import { rmsNorm } from "../../targets/device/kernels/vector/norm.ts";
import { router } from "../../targets/device/kernels/vector/router.ts";
import { silu } from "../../targets/device/kernels/vector/elementwise.ts";
import { attention } from "../../targets/device/kernels/attention/attention.ts";
import { bestAttention } from "../../targets/device/search/attention.ts";
import { rotationTable } from "../../targets/device/kernels/vector/rope.ts";
import { attentionScratch } from "../../targets/cpu/kernels/attention.ts";
import { kernelsText } from "../../targets/cpu/kernels/module.ts";
import { kernelName, type KernelSpec } from "../../targets/cpu/kernels/spec.ts";
import { exp32, sincos } from "../../src/support/elementary.ts";
import { assemble } from "../../src/wasm/assemble.ts";
import { machines, randomFloats, runKernel } from "../support/kernels/run-kernel.ts";

/** Runs one kernel of the CPU on so many units: arrays stand one after another from byte 64 on, then `results` words, then scratch. */
async function runOnCpu(
  spec: KernelSpec,
  inputs: readonly (Float32Array | Int32Array)[],
  results: readonly number[],
  numbers: readonly number[],
  units: number,
): Promise<readonly Int32Array[]> {
  const memory = new WebAssembly.Memory({ initial: 64, maximum: 65536, shared: true });
  const module = new WebAssembly.Module(await assemble(kernelsText([spec])));
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  let top = 64;
  const take = (words: number): number => (top += 4 * words + 64) - 4 * words - 64;
  const given = inputs.map((it) => {
    const at = take(it.length);
    new Uint8Array(memory.buffer, at, it.byteLength).set(new Uint8Array(it.buffer, it.byteOffset, it.byteLength)); // prettier-ignore
    return at;
  });
  const made = results.map(take);
  const run = exports[kernelName(spec)];
  if (typeof run !== "function") throw new Error(`${kernelName(spec)} is not there`);
  run(...given, ...made, ...numbers, ...(hasScratch.has(spec.kind) ? [top] : []), 0, units);
  return made.map((at, i) => new Int32Array(memory.buffer.slice(at, at + 4 * (results[i] ?? 0))));
}
const hasScratch: ReadonlySet<string> = new Set(["attention", "router"]);

const bitsOf = (x: ArrayLike<number> | undefined): readonly number[] => [...new Int32Array(Float32Array.from(x ?? []).buffer)]; // prettier-ignore

test.each(machines)("norms, whole and in pieces: %s", async (_, profile) => {
  for (const width of [5, 96, 200, 20011]) {
    const [x, gain] = [randomFloats("x", 2 * width), randomFloats("g", width)];
    const view = { dtype: "f32", width } as const;
    const kernel = rmsNorm(profile, { x: view, out: view, gain: "f32", eps: 1e-6 });
    const { out } = runKernel(kernel, profile, { S: 2 }, { x, gain });
    const lies = { heads: 1, n: width, ldx: width, headStrideX: 0, ldo: width, headStrideOut: 0 };
    const [own] = await runOnCpu({ kind: "rmsNorm", eps: 1e-6, ...lies }, [x, gain], [2 * width], [2], 2);
    expect([...(own ?? [])], `${width} columns`).toEqual(bitsOf(out));
  }
});

test.each(machines)("silu, and what it is made of: %s", async (_, profile) => {
  const x = randomFloats("x", 2048).map((it, i) => it * 5 ** (i % 4));
  const view = { dtype: "f32", width: 512 } as const;
  const { out } = runKernel(silu(profile, { a: view, out: view }), profile, { S: 4 }, { a: x });
  const [own] = await runOnCpu({ kind: "silu", n: 512, ldx: 512, ldo: 512 }, [x], [2048], [4], 4);
  expect([...(own ?? [])]).toEqual(bitsOf(out));
});

test.each([
  ["biren-br100", 48, 32, 70],
  ["ascend-910b3", 48, 32, 70],
  ["ascend-910b3", 90, 35, 130],
  ["biren-br100", 576, 20, 40],
])(
  "attention on %s over %d columns, values of %d, behind %d positions",
  async (name, dim, valueDim, past) => {
    const profile = machines.find(([it]) => it === name)?.[1];
    if (!profile) throw new Error(`${name} is no machine`);
    const [s, heads, kvHeads, scale] = [3, 4, 2, 0.3];
    const t = past + s;
    const [q, k, v] = [randomFloats("q", s * heads * dim), randomFloats("k", t * kvHeads * dim), randomFloats("v", t * kvHeads * valueDim)]; // prettier-ignore
    const view = (n: number, width: number) => ({ dtype: "f32", heads: n, width }) as const;
    const attending = { q: view(heads, dim), k: view(kvHeads, dim), v: view(kvHeads, valueDim), out: view(heads, valueDim), scale, queries: s }; // prettier-ignore
    const kernel = attention(profile, attending, bestAttention(profile, attending));
    const { out } = runKernel(kernel, profile, { B: 1, S: s, P: past }, { q, k, v });
    const spec = {
      ...({ kind: "attention", heads, kvHeads, dim, valueDim, scale } as const),
      ...{ ldq: heads * dim, headStrideQ: dim, ldk: kvHeads * dim, headStrideK: dim },
      ...{ ldv: kvHeads * valueDim, headStrideV: valueDim, ldo: heads * valueDim, headStrideO: valueDim },
    };
    expect(attentionScratch(dim)).toBeLessThan(1024);
    const [own] = await runOnCpu(spec, [q, k, v], [s * heads * valueDim], [s, t], s * heads);
    expect([...(own ?? [])]).toEqual(bitsOf(out));
  },
);

test.each(["sigmoid", "softmax"] as const)("routers by %s, groups that start apart too", async (scoring) => {
  for (const [experts, groups, topK] of [
    [20, 4, 6],
    [160, 8, 6],
    [12, 1, 3],
  ] as const) {
    const attrs = { topK, scoring, groups, topGroups: Math.ceil(groups / 2), groupScore: "max", normalize: true, scale: 2.5 } as const; // prettier-ignore
    const x = randomFloats("logits", 4 * experts);
    const { topK: k, ...rest } = attrs;
    const own = await runOnCpu({ kind: "router", experts, k, ...rest, bias: false }, [x, new Float32Array(1)], [4 * k, 4 * k], [4], 4); // prettier-ignore
    for (const [name, profile] of machines) {
      const kernel = router(profile, { ...attrs, logits: "f32", experts, bias: false });
      const found = runKernel(kernel, profile, { S: 4 }, { logits: x });
      expect([...(own[0] ?? [])], name).toEqual([...(found.indices ?? [])]);
      expect([...(own[1] ?? [])], name).toEqual(bitsOf(found.weights));
    }
  }
});

test("turns of positions up to a million", async () => {
  const invFreq = Float32Array.from([1, 0.31622776, 1e-4]);
  const positions = Int32Array.from([0, 1, 77, 4095, 163839, 999999]);
  const x = randomFloats("x", 6 * positions.length);
  const lies = { heads: 1, dim: 6, ldx: 6, headStrideX: 0, ldo: 6, headStrideOut: 0 };
  const spec = { kind: "rope", ...lies, interleaved: true, scale: 1.25 } as const;
  const [own] = await runOnCpu(spec, [x, positions, invFreq], [x.length], [positions.length], positions.length); // prettier-ignore
  const f = Math.fround;
  const expected = [...positions].flatMap((p, row) => {
    const table = rotationTable(invFreq.map((it) => f(p * it)), 2, "interleaved", 1.25); // prettier-ignore
    const turn = table.subarray(table.length / 2); // of position 1
    return Array.from({ length: 6 }, (_, j) =>
      f(
        f((x[6 * row + j] ?? 0) * (turn[j] ?? 0)) +
          f((x[6 * row + (j ^ 1)] ?? 0) * (turn[turn.length / 2 + j] ?? 0)),
      ),
    );
  });
  expect([...(own ?? [])]).toEqual(bitsOf(expected));
});

test("exp and sines are as near as they say", () => {
  expect([exp32(0), exp32(-Infinity), exp32(-1e30), exp32(NaN)]).toEqual([1, 0, 0, NaN]);
  for (let i = -8700; i <= 8800; i++) {
    const x = Math.fround(i / 100);
    expect(Math.abs(exp32(x) / Math.exp(x) - 1)).toBeLessThan(2e-7);
  }
  for (let i = 0; i < 2000; i++) {
    const x = i * 493.7;
    const [sin, cos] = sincos(x);
    expect(Math.abs(sin - Math.sin(x)) + Math.abs(cos - Math.cos(x))).toBeLessThan(2e-10);
  }
});
