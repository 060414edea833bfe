/** Kernels of products carried out on data, at shapes that no tile divides. */
import { describe, expect, test } from "vitest";
import { floats, type Tensor } from "../../../../src/interp/tensor.ts";
import { roundRow } from "../../../../src/interp/kernels/quantized.ts";
import { ascend310p } from "../../../../targets/ascend/profiles/310p.ts";
import { ascend910b3 } from "../../../../targets/ascend/profiles/910.ts";
import { ascend950pr } from "../../../../targets/ascend/profiles/950.ts";
import { birenBr100 } from "../../../../targets/biren/profiles/br100.ts";
import { gemm } from "../../../../targets/device/kernels/matrix/gemm.ts";
import type { GemmSpec } from "../../../../targets/device/kernels/matrix/spec.ts";
import { undivided, type Tile } from "../../../../targets/device/kernels/matrix/tile.ts";
import { blockReader } from "../../../../src/plan/program/row-blocks.ts";
import {
  blockInputs,
  farthest,
  faultsOf,
  randomFloats,
  reference,
  runKernel,
} from "../../../support/kernels/run-kernel.ts";
import { randomSource } from "../../../support/random.ts";

const machines = [ascend910b3, birenBr100, ascend950pr, ascend310p].map((it) => [it.name, it] as const);
const tile: Tile = { area: { m: 32, n: 64 }, staged: { k: 128, step: 64, copies: 2 }, sums: undivided };

/** Numbers that every dtype holds exactly. */
const eighths = (seed: string, n: number): Float32Array<ArrayBuffer> => {
  const next = randomSource(seed);
  return Float32Array.from({ length: n }, () => Math.floor(next() * 17 - 8) / 8);
};
const codes = (seed: string, n: number, most: number): Float32Array<ArrayBuffer> => {
  const next = randomSource(seed);
  return Float32Array.from({ length: n }, () => Math.floor(next() * (2 * most + 1)) - most);
};
/** Machines whose vector unit widens int4. */
const widensInt4 = [ascend910b3, birenBr100].map((it) => it.name);
const halfOf = (machine: string): "f16" | "bf16" => (machine === "ascend-310p" ? "f16" : "bf16");

/** out[s, n] of row-major matrices, with a bias. */
function product(
  a: Float32Array<ArrayBuffer>,
  w: Float32Array<ArrayBuffer>,
  k: number,
  n: number,
  bias?: Float32Array,
): Float32Array {
  const s = a.length / k;
  const out = new Float32Array(s * n);
  for (let i = 0; i < s; i++)
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let p = 0; p < k; p++) sum += (a[i * k + p] ?? 0) * (w[j * k + p] ?? 0);
      out[i * n + j] = sum + (bias?.[j] ?? 0);
    }
  return out;
}

const isLegal = (kernel: ReturnType<typeof gemm>, profile: (typeof machines)[number][1], s: number): void =>
  expect(faultsOf(kernel, profile, [{ S: s }, { S: 1 }])).toEqual([]);

describe.each(machines)("on %s", (name, profile) => {
  const dtype = halfOf(name);
  test.each([
    { sums: {}, bias: false },
    { sums: { parts: 2 }, bias: false },
    { sums: { parts: 2 }, bias: true },
    { sums: { parts: 2, cut: "rows" }, bias: false },
    { sums: { copies: 2 }, bias: true },
    { sums: { parts: 2 }, bias: false, k: 64, pieces: { depth: 32, copies: 3 } },
    { sums: { parts: 2 }, bias: false, k: 128, pieces: { depth: 128, copies: 2 } },
    { sums: {}, bias: false, k: 128, pieces: { depth: 64, copies: 4 } },
    { sums: { parts: 2, cut: "rows" }, bias: false, k: 64, pieces: { depth: 32, copies: 2 } },
    { sums: {}, bias: false, k: 128, last: 32 },
    { sums: { parts: 2 }, bias: true, k: 64, last: 32, copies: 3 },
    { sums: { parts: 2, cut: "rows" }, bias: false, k: 128, last: 64 },
    { sums: {}, bias: true, narrower: { after: 1, n: 16 } },
    { sums: { parts: 2 }, bias: true, narrower: { after: 2, n: 48 }, k: 128, last: 64 },
  ] as const)("a product in parts, pieces and copies: %o", ({ sums, bias, ...more }) => {
    if ("cut" in sums && profile.matrix.core === profile.vector.core) return;
    const [s, k, n] = [45, 300, 150];
    const spec: GemmSpec = {
      a: { dtype, width: k },
      w: { kind: "plain", dtype },
      out: { dtype: "f32", width: n },
      bias,
    };
    const { narrower, ...staged } = { narrower: undefined, ...more };
    const kernel = gemm(profile, spec, {
      ...tile,
      staged: { ...tile.staged, step: 32, ...staged },
      sums: { ...undivided, ...sums },
      ...(narrower && { narrower }),
    });
    isLegal(kernel, profile, s);
    const [a, w, b] = [eighths("a", s * k), eighths("w", n * k), eighths("b", n)];
    const { out } = runKernel(kernel, profile, { S: s }, { a, w, ...(bias && { bias: b }) });
    expect([...(out ?? [])]).toEqual([...product(a, w, k, n, bias ? b : undefined)]);
  });

  test.each([
    { bits: 8, group: 300, bias: true },
    { bits: 8, group: 64, bias: false },
    { bits: 4, group: 300, bias: false },
    { bits: 4, group: 128, bias: true },
  ])("int$bits codes in groups of $group give what the interpreter gives", ({ bits, group, bias }) => {
    if (bits === 4 && !widensInt4.includes(name)) return;
    const [s, k, n] = [37, 300, 90];
    const w = { kind: "integer", dtype: bits === 8 ? "i8" : "i4", group } as const;
    const spec: GemmSpec = { a: { dtype: "i8", width: k }, w, out: { dtype: "f32", width: n }, bias };
    const last = group >= k ? { last: tile.staged.step } : {};
    const kernel = gemm(profile, spec, { ...tile, staged: { ...tile.staged, ...last } });
    isLegal(kernel, profile, s);
    const groups = Math.ceil(k / group);
    const x = randomFloats("x", s * k);
    const [codesOf, scales, b] = [
      codes("w", n * k, bits === 8 ? 127 : 7),
      randomFloats("s", n * groups, 0.01),
      randomFloats("b", n),
    ];
    const rows = Array.from({ length: s }, (_, i) => roundRow(x, i * k, k));
    const operands: Tensor[] = [
      floats([s, k], x),
      floats([n, k], codesOf),
      floats([n, groups], scales),
      ...(bias ? [floats([n], b)] : []),
    ];
    const [expected] = reference("integerLinear", operands, { group, bits }, [s, n]);
    const { out } = runKernel(
      kernel,
      profile,
      { S: s },
      {
        a: rows.flatMap((it) => [...it.codes]),
        aScales: rows.map((it) => it.scale),
        w: codesOf,
        scales: Float32Array.from(
          { length: n * groups },
          (_, i) => scales[(i % n) * groups + Math.floor(i / n)] ?? 0,
        ),
        ...(bias && { bias: b }),
      },
    );
    expect(out).toEqual(expected?.data);
  });

  test.each([
    { bits: 8, zeros: false },
    { bits: 4, zeros: true },
  ])("weights of int$bits codes are made before they are multiplied", ({ bits, zeros }) => {
    if (bits === 4 && !widensInt4.includes(name)) return;
    const [s, k, n, group] = [21, 200, 70, 32];
    const groups = Math.ceil(k / group);
    const w = { kind: "coded", dtype: bits === 8 ? "i8" : "i4", group, zeros } as const;
    const spec: GemmSpec = { a: { dtype, width: k }, w, out: { dtype: "f32", width: n } };
    const kernel = gemm(profile, spec, { ...tile, staged: { k: 64, step: 32, copies: 2 } });
    isLegal(kernel, profile, s);
    const [a, c, scales, zero] = [
      eighths("a", s * k),
      codes("c", n * k, 7),
      eighths("s", n * groups),
      codes("z", n * groups, 3),
    ];
    const real = Float32Array.from(c, (it, i) => {
      const at = Math.floor((i % k) / group) * n + Math.floor(i / k);
      return (it - (zeros ? (zero[at] ?? 0) : 0)) * (scales[at] ?? 0);
    });
    const { out } = runKernel(kernel, profile, { S: s }, { a, w: c, scales, ...(zeros && { zeros: zero }) });
    expect([...(out ?? [])]).toEqual([...product(a, real, k, n)]);
  });

  test.each([2, 3])("tiles of %d columns side by side cover a result once", (band) => {
    const [s, k, n] = [45, 64, 130];
    const spec: GemmSpec = {
      a: { dtype, width: k },
      w: { kind: "plain", dtype },
      out: { dtype: "f32", width: n },
    };
    const kernel = gemm(profile, spec, { ...tile, area: { m: 16, n: 32 }, band });
    isLegal(kernel, profile, s);
    const [a, w] = [eighths("a", s * k), eighths("w", n * k)];
    const { out } = runKernel(kernel, profile, { S: s }, { a, w });
    expect([...(out ?? [])]).toEqual([...product(a, w, k, n)]);
  });

  test.each([
    { runs: 1, bias: false },
    { runs: 2, bias: true },
    { runs: 3, bias: false, sums: { parts: 2 } },
    { runs: 4, bias: true, k: 32 },
  ] as const)("weights are held while rows pass by: %o", ({ runs, bias, ...rest }) => {
    const [s, k, n] = [85, 96, 150];
    const spec: GemmSpec = {
      a: { dtype, width: k },
      w: { kind: "plain", dtype },
      out: { dtype: "f32", width: n },
      bias,
    };
    const kernel = gemm(profile, spec, {
      area: { m: 16, n: 64 },
      staged: { k: 64, step: 32, copies: 2, ...("k" in rest && { k: rest.k }) },
      sums: { ...undivided, ...("sums" in rest && rest.sums) },
      runs,
    });
    isLegal(kernel, profile, s);
    const [a, w, b] = [eighths("a", s * k), eighths("w", n * k), eighths("b", n)];
    const { out } = runKernel(kernel, profile, { S: s }, { a, w, ...(bias && { bias: b }) });
    expect([...(out ?? [])]).toEqual([...product(a, w, k, n, bias ? b : undefined)]);
  });

  test.each([undefined, 2])(
    "each head has a matrix of its own, and rows may be strided; in bands of %o",
    (band) => {
      const [s, heads, k, n] = [39, 3, 80, 144];
      const spec: GemmSpec = {
        a: { dtype, width: k, heads, rowStride: heads * k + 16, headStride: k },
        w: { kind: "plain", dtype },
        out: { dtype: "f32", width: n, heads },
      };
      const kernel = gemm(profile, spec, { ...tile, ...(band && { band }) });
      isLegal(kernel, profile, s);
      const [a, w] = [eighths("a", s * (heads * k + 16)), eighths("w", heads * n * k)];
      const { out } = runKernel(kernel, profile, { S: s }, { a, w });
      for (let h = 0; h < heads; h++) {
        const part = Float32Array.from(
          { length: s * k },
          (_, i) => a[Math.floor(i / k) * (heads * k + 16) + h * k + (i % k)] ?? 0,
        );
        const expected = product(part, w.slice(h * n * k, (h + 1) * n * k), k, n);
        const found = Array.from(
          { length: s * n },
          (_, i) => out?.[Math.floor(i / n) * heads * n + h * n + (i % n)],
        );
        expect(found).toEqual([...expected]);
      }
    },
  );

  test.each(["plain", "integer"] as const)("rows by expert, with %s weights", (kind) => {
    const [k, n, experts] = [96, 130, 5];
    const offsets = [0, 7, 7, 50, 51, 60];
    const s = 60;
    const integer = kind === "integer";
    const spec: GemmSpec = {
      a: { dtype: integer ? "i8" : dtype, width: k },
      w: integer ? { kind, dtype: "i8", group: k } : { kind, dtype },
      out: { dtype: "f32", width: n },
      experts,
    };
    const kernel = gemm(profile, spec, tile);
    const { m } = tile.area;
    expect(faultsOf(kernel, profile, [{ S: s }], () => blockReader(offsets, m))).toEqual([]);
    const [a, w] = integer
      ? [codes("a", s * k, 127), codes("w", experts * n * k, 127)]
      : [eighths("a", s * k), eighths("w", experts * n * k)];
    const [aScales, scales] = [new Float32Array(s).fill(0.5), new Float32Array(experts * n).fill(2)];
    const { out } = runKernel(
      kernel,
      profile,
      { S: s },
      { a, w, offsets, ...blockInputs(offsets, m), ...(integer && { aScales, scales }) },
    );
    for (let e = 0; e < experts; e++) {
      const [from = 0, to = 0] = [offsets[e], offsets[e + 1]];
      const expected = product(a.slice(from * k, to * k), w.slice(e * n * k, (e + 1) * n * k), k, n);
      expect(farthest(out?.slice(from * n, to * n) ?? [], expected)).toBe(0);
    }
  });
});
