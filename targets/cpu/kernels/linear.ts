import { packedBytes } from "../../../src/tensor/pack.ts";
import type { Spec, WeightType } from "./spec.ts";
import {
  add,
  fstore,
  get,
  helper,
  i32,
  kernel,
  lane,
  lanes,
  loop,
  mul,
  set,
  sub,
  vadd,
  vload,
  vmul,
  vsplat,
  vstore,
  when,
  zero4,
} from "../../../src/wasm/wat.ts";

/**
 * Matrix kernels over packed weights (tensor/pack.ts). The heart is a tile: 16 rows of w times 1 or 4 rows of x.
 * Each output is one chain of additions over k in order, so results do not depend on the tile, the batch or the threads.
 */
type TileShape = {
  readonly weight: WeightType;
  readonly k: number;
  readonly bias: boolean;
  readonly lanes: number;
};

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const tileName = (t: TileShape, rows: number): string =>
  `tile_${t.weight}_${t.k}_${t.bias ? "bias_" : ""}${t.lanes}x${rows}`;

/** acc += w * x for `vectors` vectors of 4 weights and `rows` rows of x, one unit (64 bytes of the block) of k. */
function unit(t: TileShape, vectors: readonly number[], rows: number, both: boolean): string {
  const step = (part: string, offset: number) =>
    [
      ...vectors.map((v) => set(`p${v}`, part.replaceAll("%", `w${v}`))),
      ...range(rows).map((r) =>
        [
          set("s", vsplat(get(`x${r}`), offset)),
          ...vectors.map((v) => set(`a${v}_${r}`, vadd(get(`a${v}_${r}`), vmul(get(`p${v}`), get("s"))))),
        ].join(" "),
      ),
    ].join(" ");
  const load = vectors.map((v) => set(`w${v}`, vload(get("w"), v * 16))).join(" ");
  if (t.weight === "f32") return `${load} ${step("(local.get $%)", 0)}`;
  const even = step("(i32x4.shl (local.get $%) (i32.const 16))", 0);
  const odd = step(
    "(v128.and (local.get $%) (v128.const i32x4 0xffff0000 0xffff0000 0xffff0000 0xffff0000))",
    4,
  );
  return both ? `${load} ${even} ${odd}` : `${load} ${even}`;
}

/** 16 rows of w (or the `lanes` that exist) by `rows` rows of x; half a block at a time where 4 rows share it, to stay in registers. */
function tile(t: TileShape, rows: number): string {
  const perUnit = t.weight === "bf16" ? 2 : 1;
  const whole = Math.floor(t.k / perUnit);
  const halves =
    rows === 1
      ? [[0, 1, 2, 3]]
      : [
          [0, 1],
          [2, 3],
        ];
  const body = halves
    .filter(([first = 0]) => first * 4 < t.lanes)
    .map((vectors) =>
      [
        set("w", get("w0p")),
        ...range(rows).map((r) => set(`x${r}`, get(`x${r}p`))),
        ...vectors.flatMap((v) =>
          range(rows).map((r) => set(`a${v}_${r}`, t.bias ? vload(get("bias"), v * 16) : zero4)),
        ),
        whole
          ? loop(
              "i",
              i32(0),
              i32(whole),
              1,
              [
                unit(t, vectors, rows, true),
                set("w", add(get("w"), i32(64))),
                ...range(rows).map((r) => set(`x${r}`, add(get(`x${r}`), i32(4 * perUnit)))),
              ].join(" "),
            )
          : "",
        t.k % perUnit ? unit(t, vectors, rows, false) : "",
        ...vectors.flatMap((v) =>
          range(rows).map((r) => storeLanes(get(`o${r}`), get(`a${v}_${r}`), v * 4, t.lanes)),
        ),
      ].join(" "),
    )
    .join(" ");
  return helper(
    tileName(t, rows),
    ["w0p", "bias", ...range(rows).map((r) => `x${r}p`), ...range(rows).map((r) => `o${r}`)],
    {
      i32: ["w", "i", ...range(rows).map((r) => `x${r}`)],
      v128: ["s", ...lanes.flatMap((v) => [`w${v}`, `p${v}`, ...range(rows).map((r) => `a${v}_${r}`)])],
    },
    body,
  );
}

/** Store a vector at element `first`, but only the elements below `count`. */
function storeLanes(address: string, vector: string, first: number, count: number): string {
  if (first + 4 <= count) return vstore(address, vector, first * 4);
  return lanes
    .filter((i) => first + i < count)
    .map((i) => fstore(address, lane(vector, i), (first + i) * 4))
    .join(" ");
}

/** The tiles a matrix of n rows needs: full blocks, and the last one where n is not a multiple of 16. */
export function tiles(
  weight: WeightType,
  k: number,
  n: number,
  bias: boolean,
): readonly (readonly [string, string])[] {
  const lanesOf = [...(n >= 16 ? [16] : []), ...(n % 16 ? [n % 16] : [])];
  return lanesOf.flatMap((count) =>
    [1, 4].map((rows): readonly [string, string] => {
      const shape = { weight, k, bias, lanes: count };
      return [tileName(shape, rows), tile(shape, rows)];
    }),
  );
}

type Rows = {
  readonly count: string;
  /** Address of the input and the output row `i` (an expression of local i32s). */
  readonly x: (i: string) => string;
  readonly out: (i: string) => string;
};

/** All rows through block `b`, four at a time, then one by one. */
function block(weight: WeightType, k: number, n: number, bias: boolean, rows: Rows, isLast: string): string {
  const call = (count: number, tileRows: number): string => {
    const xs = range(tileRows).map((r) => rows.x(add(get("r"), i32(r))));
    const outs = range(tileRows).map((r) => add(rows.out(add(get("r"), i32(r))), mul(get("b"), 64)));
    const biasAt = bias ? add(get("bias"), mul(get("b"), 64)) : i32(0);
    return `(call $${tileName({ weight, k, bias, lanes: count }, tileRows)} ${get("wp")} ${biasAt} ${xs.join(" ")} ${outs.join(" ")})`;
  };
  const tail = n % 16;
  const run = (tileRows: number): string => {
    if (!tail) return call(16, tileRows);
    if (n < 16) return call(tail, tileRows);
    return `(if ${isLast} (then ${call(tail, tileRows)}) (else ${call(16, tileRows)}))`;
  };
  const fours = loop(
    "r",
    rows.count === "slots" ? get("first") : i32(0),
    sub(limit(rows), i32(3)),
    4,
    run(4),
  );
  const ones = `(block $end_ones (loop $top_ones (br_if $end_ones (i32.ge_s ${get("r")} ${limit(rows)})) ${run(1)} ${set("r", add(get("r"), i32(1)))} (br $top_ones)))`;
  return `${fours} ${ones}`;
}

const limit = (rows: Rows): string => (rows.count === "slots" ? get("last") : get(rows.count));

const lastBlock = (n: number): string => `(i32.eq ${get("b")} ${i32(Math.ceil(n / 16) - 1)})`;
const bytesOfBlock = (weight: WeightType, k: number): number => packedBytes(weight, 16, k);

export function linear(name: string, s: Spec<"linear">): string {
  const rows: Rows = {
    count: "S",
    x: (i) => add(get("x"), mul(i, s.ldx * 4)),
    out: (i) => add(get("out"), mul(i, s.ldo * 4)),
  };
  const body = loop(
    "b",
    get("begin"),
    get("end"),
    1,
    `${set("wp", add(get("w"), mul(get("b"), bytesOfBlock(s.weight, s.k))))} ${block(s.weight, s.k, s.n, s.bias, rows, lastBlock(s.n))}`,
  );
  return kernel(name, ["w", "x", "bias", "out", "S"], { i32: ["b", "r", "wp"] }, body);
}

export function headLinear(name: string, s: Spec<"headLinear">): string {
  const rows: Rows = {
    count: "S",
    x: (i) => add(get("x"), mul(get("h"), s.headStrideX * 4), mul(i, s.ldx * 4)),
    out: (i) => add(get("out"), mul(get("h"), s.headStrideOut * 4), mul(i, s.ldo * 4)),
  };
  const blocks = loop(
    "b",
    i32(0),
    i32(Math.ceil(s.n / 16)),
    1,
    `${set("wp", add(get("w"), mul(get("h"), packedBytes(s.weight, s.n, s.k)), mul(get("b"), bytesOfBlock(s.weight, s.k))))} ${block(s.weight, s.k, s.n, false, rows, lastBlock(s.n))}`,
  );
  return kernel(
    name,
    ["w", "x", "out", "S"],
    { i32: ["h", "b", "r", "wp"] },
    loop("h", get("begin"), get("end"), 1, blocks),
  );
}

export function groupedLinear(name: string, s: Spec<"groupedLinear">): string {
  const slot = (i: string) => `(i32.load ${add(get("order"), mul(i, 4))})`;
  const rows: Rows = {
    count: "slots",
    x: (i) => add(get("x"), mul(`(i32.div_u ${slot(i)} ${i32(s.divisor)})`, s.ldx * 4)),
    out: (i) => add(get("out"), mul(slot(i), s.ldo * 4)),
  };
  const blocks = loop(
    "b",
    get("begin"),
    get("end"),
    1,
    `${set("wp", add(get("we"), mul(get("b"), bytesOfBlock(s.weight, s.k))))} ${block(s.weight, s.k, s.n, false, rows, lastBlock(s.n))}`,
  );
  const at = (offset: number) => `(i32.load offset=${offset} ${add(get("counts"), mul(get("e"), 4))})`;
  const each = [
    set("first", at(0)),
    set("last", at(4)),
    set("we", add(get("w"), mul(get("e"), packedBytes(s.weight, s.n, s.k)))),
    when(`(i32.lt_s ${get("first")} ${get("last")})`, blocks),
  ].join(" ");
  return kernel(
    name,
    ["w", "x", "counts", "order", "out", "S"],
    { i32: ["e", "first", "last", "we", "b", "r", "wp"] },
    loop("e", i32(0), i32(s.experts), 1, each),
  );
}
