/** Matrix kernels over quantized weights, bit for bit against the same arithmetic in plain loops. */
import { describe, expect, test } from "vitest";
import type { CodedWeight, Spec } from "../../../targets/cpu/kernels/spec.ts";
import { kernelBench, packed } from "../../support/kernels/kernels.ts";
import { randomSource } from "../../support/random.ts";

type Case = CodedWeight & {
  readonly rows: number;
  readonly n: number;
  readonly k: number;
  readonly zero: boolean;
  readonly bias: boolean;
};

/** Weights and inputs of a case; matrices of `experts` experts, one for plain kernels. */
function madeUp(c: Case, seed: string, experts: number) {
  const next = randomSource(seed);
  const groups = Math.ceil(c.k / c.group);
  const integer = (low: number, high: number) => Math.floor(low + next() * (high - low + 1));
  const normal = () => Math.fround(next() + next() + next() - 1.5);
  // Few bits, so that bf16 holds it.
  const short = () => (1 + integer(0, 127) / 128) * 2 ** -integer(4, 9);
  const [low, high] = c.weight === "i8" ? [-127, 127] : [-8, 7];
  return {
    groups,
    codes: Int8Array.from({ length: experts * c.n * c.k }, () => integer(low, high)),
    scales: Float32Array.from({ length: experts * c.n * groups }, short),
    zeros: Float32Array.from({ length: experts * c.n * groups }, () => (c.zero ? integer(low, high) : 0)),
    bias: Float32Array.from({ length: c.n }, () => (c.bias ? normal() : 0)),
    x: Float32Array.from({ length: c.rows * c.k }, normal),
  };
}

type Data = ReturnType<typeof madeUp>;

/** Output `j` of the row of x that begins at `from`, by matrix `expert`; with the exact one and the size of its terms. */
function floatDot(c: Case, d: Data, expert: number, from: number, j: number) {
  const f = Math.fround;
  const row = expert * c.n + j;
  let out = d.bias[j] ?? NaN;
  let exact = out;
  let size = Math.abs(out);
  for (let g = 0; g < d.groups; g++) {
    let sum = 0;
    const scale = d.scales[row * d.groups + g] ?? NaN;
    const zero = d.zeros[row * d.groups + g] ?? NaN;
    for (let i = g * c.group; i < Math.min(c.k, (g + 1) * c.group); i++) {
      const [code = NaN, x = NaN] = [d.codes[row * c.k + i], d.x[from + i]];
      sum = f(sum + f((code - zero) * x));
      exact += (code - zero) * scale * x;
      size += Math.abs((code - zero) * scale * x);
    }
    out = f(out + f(scale * sum));
  }
  return { out, exact, size };
}

/** A row of x as codes and their scale. */
function quantized(row: Float32Array): { readonly codes: Int8Array; readonly scale: number } {
  const most = row.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
  const scale = most === 0 ? 1 : Math.fround(most / 127);
  const nearestEven = (x: number) => {
    const low = Math.floor(x);
    return x - low < 0.5 || (x - low === 0.5 && low % 2 === 0) ? low : low + 1;
  };
  const codes = Int8Array.from(row, (x) =>
    Math.max(-127, Math.min(127, nearestEven(Math.fround(x / scale)))),
  );
  return { codes, scale };
}

function integerDot(c: Case, d: Data, expert: number, from: number, j: number): number {
  const f = Math.fround;
  const { codes, scale } = quantized(d.x.subarray(from, from + c.k));
  const row = expert * c.n + j;
  let out = 0;
  for (let g = 0; g < d.groups; g++) {
    let sum = 0;
    for (let i = g * c.group; i < Math.min(c.k, (g + 1) * c.group); i++)
      sum += (d.codes[row * c.k + i] ?? NaN) * (codes[i] ?? NaN);
    out = f(out + f(f(sum) * (d.scales[row * d.groups + g] ?? NaN)));
  }
  return f(f(out * scale) + (d.bias[j] ?? NaN));
}

/** Cases over the ragged and the even: weights, groups or one for all of k, scales, zeros, biases. */
const cases: readonly Case[] = Array.from({ length: 48 }, (_, i) => {
  const next = randomSource(`case ${i}`);
  const any = (most: number) => 1 + Math.floor(next() * most);
  const one = <T>(...choices: readonly [T, ...T[]]) =>
    choices[Math.floor(next() * choices.length)] ?? choices[0];
  const k = one(any(40), any(300), 64, 256, 500 + any(900));
  return {
    weight: i % 2 ? "i4" : "i8",
    rows: any(9),
    n: one(any(15), any(60), 16, 48),
    k,
    group: one(32, 64, 128, k),
    scale: one("bf16", "f32"),
    zero: next() < 0.5,
    bias: next() < 0.5,
  };
});

const format = ({ weight, group, scale, zero }: Case) => ({ weight, group, scale, zero });
const symmetric = ({ weight, group, scale }: Case) => ({ weight, group, scale });
const title = (c: Case) => JSON.stringify(c);
const blocks = (n: number) => Math.ceil(n / 16);

/** Slots of random experts, sorted by expert as `expertGroups` leaves them. */
function slotsOf(seed: string, slots: number, experts: number) {
  const next = randomSource(seed);
  const chosen = Array.from({ length: slots }, () => Math.floor(next() * experts));
  const groups = Array.from({ length: experts }, (_, e) =>
    chosen.flatMap((it, slot) => (it === e ? [slot] : [])),
  );
  const counts = Int32Array.from({ length: experts + 1 }, (_, e) => groups.slice(0, e).flat().length);
  return { chosen, order: Int32Array.from(groups.flat()), counts };
}

describe.each(cases.map((c) => [title(c), c] as const))("%s", (name, c) => {
  const experts = 3;
  const plain = madeUp(c, name, 1);
  const many = madeUp({ ...c, bias: false }, name, experts);
  const divisor = 2;
  const slots = slotsOf(name, c.rows * divisor, experts);
  const gap = c.k % 5; // rows of x need not follow one on another
  const linear: Spec<"linear"> = {
    ...{ kind: "linear", k: c.k, n: c.n, ldx: c.k + gap, ldo: c.n + 1, bias: c.bias },
    ...format(c),
  };
  const grouped: Spec<"groupedLinear"> = {
    ...{ kind: "groupedLinear", k: c.k, n: c.n, ldx: c.k + gap, ldo: c.n, experts, divisor },
    ...format(c),
  };
  const heads: Spec<"headLinear"> = {
    ...{ kind: "headLinear", heads: experts, k: c.k, n: c.n, ldx: c.k + gap, headStrideX: 0 },
    ...{ ldo: experts * c.n, headStrideOut: c.n },
    ...format(c),
  };
  const quantize: Spec<"quantizeRows"> = { kind: "quantizeRows", k: c.k, ldx: c.k + gap };
  const integer: Spec<"integerLinear"> = {
    ...{ kind: "integerLinear", k: c.k, n: c.n, ldo: c.n + 1, bias: c.bias },
    ...symmetric(c),
  };
  const groupedInteger: Spec<"groupedIntegerLinear"> = {
    ...{ kind: "groupedIntegerLinear", k: c.k, n: c.n, ldo: c.n, experts, divisor },
    ...symmetric(c),
  };
  const bench = kernelBench([linear, grouped, heads, quantize, integer, groupedInteger], 64);

  /** The addresses of what a weight is made of. */
  const weight = async (d: Data, withZeros: boolean): Promise<readonly number[]> => {
    const { put } = await bench;
    const perGroup = (numbers: Float32Array) => put(packed(c.scale, numbers, c.n, d.groups));
    const w = put(packed(c.weight, d.codes, c.n, c.k));
    return [
      w,
      perGroup(d.scales),
      ...(withZeros ? [put(packed("i8", Int8Array.from(d.zeros), c.n, d.groups))] : []),
    ];
  };
  /** x with NaN between its rows. */
  const placeX = async (d: Data): Promise<number> => {
    const spaced = new Float32Array(c.rows * (c.k + gap)).fill(NaN);
    for (let s = 0; s < c.rows; s++) spaced.set(d.x.subarray(s * c.k, (s + 1) * c.k), s * (c.k + gap));
    return (await bench).put(spaced);
  };
  const placeCodes = async (d: Data): Promise<readonly [number, number]> => {
    const { room, run } = await bench;
    const [codes, scales] = [room(c.rows * Math.ceil(c.k / 8) * 8), room(c.rows * 4)];
    run(quantize, [await placeX(d), codes, scales, c.rows], 0, c.rows);
    return [codes, scales];
  };
  const zeros = (d: Data): Data => ({ ...d, zeros: d.zeros.map(() => 0) });

  test("linear", async () => {
    const { put, room, run, floats } = await bench;
    const out = room(c.rows * (c.n + 1) * 4);
    const args = [...(await weight(plain, c.zero)), await placeX(plain), put(plain.bias), out, c.rows];
    run(linear, args, 0, blocks(c.n));
    const found = floats(out, c.rows * (c.n + 1));
    for (let s = 0; s < c.rows; s++)
      for (let j = 0; j <= c.n; j++) {
        const y = found[s * (c.n + 1) + j] ?? 0;
        if (j === c.n) expect(y).toBeNaN();
        else {
          const { out: want, exact, size } = floatDot(c, plain, 0, s * c.k, j);
          expect(y + 0).toBe(want + 0);
          expect(Math.abs(y - exact)).toBeLessThanOrEqual(1e-5 * size);
        }
      }
  });

  test("headLinear", async () => {
    const { room, run, floats } = await bench;
    const out = room(c.rows * experts * c.n * 4);
    run(heads, [...(await weight(many, c.zero)), await placeX(many), out, c.rows], 0, experts);
    const want = Float32Array.from({ length: c.rows * experts * c.n }, (_, i) => {
      const [s, e, j] = [Math.floor(i / c.n / experts), Math.floor(i / c.n) % experts, i % c.n];
      return floatDot(c, many, e, s * c.k, j).out + 0;
    });
    expect(floats(out, want.length).map((y) => y + 0)).toEqual(want);
  });

  const groupedAnswer = (dot: (expert: number, from: number, j: number) => number) =>
    Float32Array.from({ length: slots.chosen.length * c.n }, (_, i) => {
      const slot = Math.floor(i / c.n);
      return dot(slots.chosen[slot] ?? 0, Math.floor(slot / divisor) * c.k, i % c.n) + 0;
    });

  test("groupedLinear", async () => {
    const { put, room, run, floats } = await bench;
    const out = room(slots.chosen.length * c.n * 4);
    const places = [put(slots.counts), put(slots.order), out, c.rows];
    run(grouped, [...(await weight(many, c.zero)), await placeX(many), ...places], 0, blocks(c.n));
    const want = groupedAnswer((e, from, j) => floatDot(c, many, e, from, j).out);
    expect(floats(out, want.length).map((y) => y + 0)).toEqual(want);
  });

  test("quantizeRows", async () => {
    const { bytes, floats } = await bench;
    const [codes, scales] = await placeCodes(plain);
    const width = Math.ceil(c.k / 8) * 8;
    for (let s = 0; s < c.rows; s++) {
      const want = quantized(plain.x.subarray(s * c.k, (s + 1) * c.k));
      expect(floats(scales + s * 4, 1)[0]).toBe(want.scale);
      const row = [...want.codes, ...Array<number>(width - c.k).fill(0)];
      expect([...bytes(codes + s * width, width)]).toEqual(row);
    }
  });

  test("integerLinear", async () => {
    const { put, room, run, floats } = await bench;
    const out = room(c.rows * (c.n + 1) * 4);
    const args = [
      ...(await weight(plain, false)),
      ...(await placeCodes(plain)),
      put(plain.bias),
      out,
      c.rows,
    ];
    run(integer, args, 0, blocks(c.n));
    const want = Float32Array.from({ length: c.rows * (c.n + 1) }, (_, i) => {
      const [s, j] = [Math.floor(i / (c.n + 1)), i % (c.n + 1)];
      return j === c.n ? NaN : integerDot(c, zeros(plain), 0, s * c.k, j) + 0;
    });
    expect(floats(out, want.length).map((y) => y + 0)).toEqual(want);
  });

  test("groupedIntegerLinear", async () => {
    const { put, room, run, floats } = await bench;
    const out = room(slots.chosen.length * c.n * 4);
    const places = [put(slots.counts), put(slots.order), out, c.rows];
    const args = [...(await weight(many, false)), ...(await placeCodes(many)), ...places];
    run(groupedInteger, args, 0, blocks(c.n));
    const want = groupedAnswer((e, from, j) => integerDot(c, many, e, from, j));
    expect(floats(out, want.length).map((y) => y + 0)).toEqual(want);
  });
});

test("rows that quantize to edges: all zeros, ties, the largest codes", async () => {
  const spec: Spec<"quantizeRows"> = { kind: "quantizeRows", k: 7, ldx: 7 };
  const { put, room, run, bytes, floats } = await kernelBench([spec], 4);
  const x = Float32Array.of(0, -0, 0, 0, 0, 0, 0, 127, 0.5, 1.5, -2.5, -126.5, 126.5, -0.5);
  const [codes, scales] = [room(16), room(8)];
  run(spec, [put(x), codes, scales, 2], 0, 2);
  expect([...floats(scales, 2)]).toEqual([1, 1]);
  expect([...bytes(codes, 16)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 127, 0, 2, -2, -126, 126, 0, 0]);
});

test.each([
  ["i8", -127],
  ["i8", -128],
  ["i4", -8],
] as const)("the largest sums of 32,768 columns are exact: %s %d", async (weight, code) => {
  const k = 32768;
  const spec: Spec<"integerLinear"> = {
    ...{ kind: "integerLinear", k, n: 1, ldo: 1, bias: false },
    ...{ weight, group: k, scale: "f32" },
  };
  const { put, room, run, floats } = await kernelBench([spec], 32);
  const w = put(packed(weight, new Int8Array(k).fill(code), 1, k));
  const [x, out] = [put(new Int8Array(k).fill(-127)), room(4)];
  const one = put(packed("f32", Float32Array.of(1), 1, 1));
  run(spec, [w, one, x, put(Float32Array.of(1)), 0, out, 1], 0, 1);
  expect(floats(out, 1)[0]).toBe(Math.fround(code * -127 * k));
});
