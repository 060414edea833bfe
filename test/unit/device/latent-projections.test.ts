/** The projections that begin DeepSeek-V3's attention, joined in one product at full width: what each gives by itself. */
import { expect, test } from "vitest";
import { roundRow } from "../../../src/interp/kernels/quantized.ts";
import { floats } from "../../../src/interp/tensor.ts";
import { roundingTo } from "../../../src/machine/simulate/rounding.ts";
import { ascend910b3 } from "../../../targets/ascend/profiles/910.ts";
import { birenBr100 } from "../../../targets/biren/profiles/br100.ts";
import { gemm } from "../../../targets/device/kernels/matrix/gemm.ts";
import type { GemmSpec } from "../../../targets/device/kernels/matrix/spec.ts";
import { tileChooser } from "../../../targets/device/search/chooser.ts";
import { farthest, randomFloats, reference, runKernel } from "../../support/kernels/run-kernel.ts";
import { randomSource } from "../../support/random.ts";

const [width, queries, keys] = [7168, 1536, 512 + 64];
const all = queries + keys;
/** One, as the simulated device is slow. */
const rows = 1;

/** Columns `from` to `to` of a result. */
const columns = (of: ArrayLike<number>, from: number, to: number): readonly number[] =>
  Array.from({ length: rows }, (_, i) => Array.from({ length: to - from }, (_, j) => of[i * all + from + j] ?? NaN)).flat(); // prettier-ignore

const machines = [ascend910b3, birenBr100].map((it) => [it.name, it] as const);

test.each(machines)("on %s, in bf16", (_, profile) => {
  const spec: GemmSpec = {
    a: { dtype: "bf16", width },
    w: { kind: "plain", dtype: "bf16" },
    out: { dtype: "f32", width: all },
  };
  const { tile } = tileChooser(profile, 1, new Map())(spec, rows);
  const round = roundingTo("bf16");
  const a = randomFloats("a", rows * width).map(round);
  const w = randomFloats("w", all * width, 0.05).map(round);
  const { out = [] } = runKernel(gemm(profile, spec, tile), profile, { S: rows }, { a, w });
  for (const [from, to] of [
    [0, queries],
    [queries, all],
  ] as const) {
    const own = floats([to - from, width], w.slice(from * width, to * width));
    const [expected] = reference("linear", [floats([rows, width], a), own], {}, [rows, to - from]);
    expect(farthest(columns(out, from, to), expected?.data ?? [])).toBeLessThan(1e-5);
  }
});

test.each(machines)("on %s, in codes of eight bits", (_, profile) => {
  const spec: GemmSpec = {
    a: { dtype: "i8", width },
    w: { kind: "integer", dtype: "i8", group: width },
    out: { dtype: "f32", width: all },
  };
  const { tile } = tileChooser(profile, 1, new Map())(spec, rows);
  const next = randomSource("w");
  const codes = Float32Array.from({ length: all * width }, () => Math.floor(next() * 255) - 127);
  const [x, scales] = [randomFloats("x", rows * width), randomFloats("s", all, 0.01)];
  const rounded = Array.from({ length: rows }, (_, i) => roundRow(x, i * width, width));
  const { out = [] } = runKernel(gemm(profile, spec, tile), profile, { S: rows }, {
    a: rounded.flatMap((it) => [...it.codes]),
    aScales: rounded.map((it) => it.scale),
    w: codes,
    scales,
  }); // prettier-ignore
  for (const [from, to] of [
    [0, queries],
    [queries, all],
  ] as const) {
    const operands = [
      floats([rows, width], x),
      floats([to - from, width], codes.slice(from * width, to * width)),
      floats([to - from, 1], scales.slice(from, to)),
    ];
    const [expected] = reference("integerLinear", operands, { group: width, bits: 8 }, [rows, to - from]);
    expect(columns(out, from, to)).toEqual([...(expected?.data ?? [])]);
  }
});
