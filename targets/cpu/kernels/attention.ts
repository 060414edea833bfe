import { keysAtATime } from "../../../src/ir/ops/attention.ts";
import { exp } from "./math.ts";
import type { Spec } from "./spec.ts";
import { sumLocals, sumRow } from "./sums.ts";
import {
  add,
  elements,
  f32,
  fload,
  fstore,
  get,
  i32,
  kernel,
  lane,
  lanes,
  loop,
  max4,
  mul,
  set,
  shuffle,
  splat,
  sub,
  vadd,
  vload,
  vmul,
  vsplat,
  vstore,
  zero4,
} from "../../../src/wasm/wat.ts";

/** Bytes of scratch of a thread: the scores of a block, and a vector behind them. */
export const attentionScratch = (dim: number): number => 4 * keysAtATime(dim) + 16;

const scoreAt = add(get("scratch"), mul(get("t"), 4));

/** The same four columns of four keys, turned into four vectors of one column each, `turned`. */
function turned(): { readonly before: string; readonly columns: readonly string[] } {
  const pair = (to: string, order: readonly number[], a: string, b: string): string =>
    set(to, shuffle(order, get(a), get(b)));
  const before = [
    ...lanes.map((j) => set(`r${j}`, vload(add(get(`k${j}`), get("i"))))),
    pair("u0", [0, 4, 1, 5], "r0", "r1"),
    pair("u1", [0, 4, 1, 5], "r2", "r3"),
    pair("u2", [2, 6, 3, 7], "r0", "r1"),
    pair("u3", [2, 6, 3, 7], "r2", "r3"),
  ].join(" ");
  const column = (order: readonly number[], a: string, b: string): string => shuffle(order, get(a), get(b));
  return {
    before,
    columns: [
      column([0, 1, 4, 5], "u0", "u1"),
      column([2, 3, 6, 7], "u0", "u1"),
      column([0, 1, 4, 5], "u2", "u3"),
      column([2, 3, 6, 7], "u2", "u3"),
    ],
  };
}

/** v128 `sum` takes Σ q[i] * k[i] of keys `k0` to `k3`, each a chain of additions over i in order. */
function dotProducts(dim: number): string {
  const grow = (column: string, offset: number): string =>
    set("sum", vadd(get("sum"), vmul(column, vsplat(add(get("qh"), get("i")), offset))));
  const { before, columns } = turned();
  const whole = dim - (dim % 4);
  const one = [1, 2, 3].reduce(
    (v, j) => `(f32x4.replace_lane ${j} ${v} ${fload(add(get(`k${j}`), get("i")))})`,
    splat(fload(add(get("k0"), get("i")))),
  );
  return [
    set("sum", zero4),
    loop("i", i32(0), i32(whole * 4), 16, [before, ...columns.map((it, c) => grow(it, 4 * c))].join(" ")),
    dim % 4 ? loop("i", i32(whole * 4), i32(dim * 4), 4, grow(one, 0)) : "",
  ].join(" ");
}

/** Scores of the block's `n` keys from `kt` on, four at a time; behind the last key it is taken again, and -inf put in its place. */
function scores(s: Spec<"attention">): string {
  const key = (j: number): string =>
    set(
      `k${j}`,
      `(select ${add(get(`k${j - 1}`), i32(s.ldk * 4))} ${get(`k${j - 1}`)} (i32.lt_s ${add(get("t"), i32(j))} ${get("n")}))`,
    );
  const four = [
    set("k0", add(get("kt"), mul(get("t"), s.ldk * 4))),
    ...[1, 2, 3].map(key),
    dotProducts(s.dim),
    vstore(scoreAt, vmul(get("sum"), splat(f32(s.scale)))),
  ].join(" ");
  return `${loop("t", i32(0), get("n"), 4, four)} ${vstore(add(get("scratch"), mul(get("n"), 4)), splat(f32(-Infinity)))}`;
}

/** Scores become weights relative to the largest so far, `max`; `soon` is what earlier sums are to be multiplied by, f32 `total` their sum. */
function weights(keys: number): string {
  const eachFour = (body: string): string => loop("t", i32(0), get("n"), 4, body);
  const behind = mul(`(i32.and ${add(get("n"), i32(3))} ${i32(-4)})`, 4);
  const from = (offset: number): string => vload(add(get("scratch"), get("i")), offset);
  return [
    set("sum", splat(get("max"))),
    eachFour(set("sum", `(f32x4.max ${get("sum")} ${vload(scoreAt)})`)),
    set("f", max4(get("sum"))),
    set("soon", exp(splat(`(f32.sub ${get("max")} ${get("f")})`))),
    set("max", get("f")),
    eachFour(vstore(scoreAt, exp(`(f32x4.sub ${vload(scoreAt)} ${splat(get("max"))})`))),
    `(memory.fill ${add(get("scratch"), behind)} ${i32(0)} ${sub(i32(keys * 4), behind)})`,
    sumRow("total", keys, from, from),
  ].join(" ");
}

/** The block's weighted sum of values for elements `from` to `from + width` (16 or 4 or 1) of the head, added to what was there times `soon`. */
function values(from: number, width: 16 | 4 | 1, ldv: number): string {
  const parts = width === 16 ? lanes : ([0] as const);
  const load = (part: number) =>
    width === 1 ? splat(fload(get("vt"), from * 4)) : vload(get("vt"), from * 4 + part * 16);
  const body = [
    set("p", vsplat(scoreAt)),
    ...parts.map((part) => set(`a${part}`, vadd(get(`a${part}`), vmul(get("p"), load(part))))),
    set("vt", add(get("vt"), i32(ldv * 4))),
  ].join(" ");
  return [
    set("vt", get("vh")),
    ...parts.map((part) => set(`a${part}`, zero4)),
    loop("t", i32(0), get("n"), 1, body),
    ...parts.map((part) => {
      const at = from * 4 + part * 16;
      const grown = (before: string): string => vadd(vmul(before, get("soon")), get(`a${part}`));
      return width === 1
        ? fstore(get("oh"), lane(grown(splat(fload(get("oh"), at))), 0), at)
        : vstore(get("oh"), grown(vload(get("oh"), at)), at);
    }),
  ].join(" ");
}

function valueChunks(width: number, ldv: number): string {
  const out: string[] = [];
  for (let from = 0; from < width;) {
    const step = width - from >= 16 ? 16 : width - from >= 4 ? 4 : 1;
    out.push(values(from, step, ldv));
    from += step;
  }
  return out.join(" ");
}

/** The head's sums over the sum of their weights. */
function divided(width: number): string {
  const at = add(get("oh"), get("i"));
  return elements(
    "i",
    width,
    vstore(at, `(f32x4.div ${vload(at)} ${splat(get("weight"))})`),
    fstore(at, `(f32.div ${fload(at)} ${get("weight")})`),
  );
}

/**
 * Causal attention, one (token, head) a unit, by blocks of keys (Dao et al. 2022): scores into the thread's scratch, their softmax relative to the
 * largest score so far, then the weighted values. Step for step what the devices' kernels do with float32, which bring their tiles in the same
 * blocks. Query s of S sees the first T - S + s + 1 positions.
 */
export function attention(name: string, s: Spec<"attention">): string {
  const keys = keysAtATime(s.dim);
  const block = [
    set(
      "n",
      `(select ${i32(keys)} ${sub(get("seen"), get("b"))} (i32.gt_s ${sub(get("seen"), get("b"))} ${i32(keys)}))`,
    ),
    scores(s),
    weights(keys),
    set("weight", `(f32.add (f32.mul ${get("weight")} ${lane(get("soon"), 0)}) ${get("total")})`),
    valueChunks(s.valueDim, s.ldv),
    set("kt", add(get("kt"), i32(keys * s.ldk * 4))),
    set("vh", add(get("vh"), i32(keys * s.ldv * 4))),
  ].join(" ");
  const unit = [
    set("s", `(i32.div_u ${get("u")} ${i32(s.heads)})`),
    set("h", `(i32.rem_u ${get("u")} ${i32(s.heads)})`),
    set("g", `(i32.div_u ${get("h")} ${i32(s.heads / s.kvHeads)})`),
    set("seen", add(sub(get("T"), get("S")), get("s"), i32(1))),
    set("qh", add(get("q"), mul(get("s"), s.ldq * 4), mul(get("h"), s.headStrideQ * 4))),
    set("kt", add(get("k"), mul(get("g"), s.headStrideK * 4))),
    set("vh", add(get("v"), mul(get("g"), s.headStrideV * 4))),
    set("oh", add(get("out"), mul(get("s"), s.ldo * 4), mul(get("h"), s.headStrideO * 4))),
    set("max", "(f32.const -inf)"),
    set("weight", "(f32.const 0)"),
    `(memory.fill ${get("oh")} ${i32(0)} ${i32(s.valueDim * 4)})`,
    loop("b", i32(0), get("seen"), keys, block),
    divided(s.valueDim),
  ].join(" ");
  return kernel(
    name,
    ["q", "k", "v", "out", "S", "T", "scratch"],
    {
      i32: [
        "u",
        "s",
        "h",
        "g",
        "b",
        "n",
        "seen",
        "qh",
        "kt",
        "k0",
        "k1",
        "k2",
        "k3",
        "vh",
        "vt",
        "oh",
        "t",
        "i",
      ],
      f32: ["max", "weight", "total", "f"],
      v128: [
        "sum",
        "soon",
        "p",
        ...["r", "u", "a"].flatMap((it) => lanes.map((j) => `${it}${j}`)),
        ...sumLocals,
      ],
    },
    loop("u", get("begin"), get("end"), 1, unit),
  );
}
