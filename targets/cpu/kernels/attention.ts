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

/** Sums of values that are kept in registers. */
const sums = Array.from({ length: 8 }, (_, part) => `a${part}`);

const scoreAt = add(get("scratch"), mul(get("t"), 4));

/** Two chains of four keys each, which do not wait for one another. */
const groups = [0, 1] as const;
const keysTogether = 8;
const keyName = (group: number, j: number): string => `k${4 * group + j}`;
const eachKey = Array.from({ length: keysTogether }, (_, j) => j);

const turning = groups.flatMap((g) => [
  `sum${g}`,
  ...lanes.flatMap((j) => [`u${g}${j}`, ...(g ? [] : [`r${j}`])]),
]);

/** `sum0` and `sum1` plus a column of their keys, each given by its group, times its element of q. */
const grown = (column: (group: number) => string, offset: number): string =>
  [
    set("p", vsplat(add(get("qh"), get("i")), offset)),
    ...groups.map((g) => set(`sum${g}`, vadd(get(`sum${g}`), vmul(column(g), get("p"))))),
  ].join(" ");

/** As `grown`, for four columns one after another, `offset` bytes from `i` on: rows of keys are turned into columns. */
function fourColumns(offset: number): string {
  const pair = (to: string, order: readonly number[], a: string, b: string): string =>
    set(to, shuffle(order, get(a), get(b)));
  const turned = groups.flatMap((g) => [
    ...lanes.map((j) => set(`r${j}`, vload(add(get(keyName(g, j)), get("i")), offset))),
    pair(`u${g}0`, [0, 4, 1, 5], "r0", "r1"),
    pair(`u${g}1`, [0, 4, 1, 5], "r2", "r3"),
    pair(`u${g}2`, [2, 6, 3, 7], "r0", "r1"),
    pair(`u${g}3`, [2, 6, 3, 7], "r2", "r3"),
  ]);
  const column = (half: 0 | 2, order: readonly number[]) => (g: number) =>
    shuffle(order, get(`u${g}${half}`), get(`u${g}${half + 1}`));
  return [
    ...turned,
    grown(column(0, [0, 1, 4, 5]), offset),
    grown(column(0, [2, 3, 6, 7]), offset + 4),
    grown(column(2, [0, 1, 4, 5]), offset + 8),
    grown(column(2, [2, 3, 6, 7]), offset + 12),
  ].join(" ");
}

/** v128 `sum0` and `sum1` take Σ q[i] * k[i] of keys `k0` to `k7`, each a chain of additions over i in order. */
function dotProducts(dim: number): string {
  const element = (g: number, j: number): string => fload(add(get(keyName(g, j)), get("i")));
  const single = (g: number): string =>
    [1, 2, 3].reduce((v, j) => `(f32x4.replace_lane ${j} ${v} ${element(g, j)})`, splat(element(g, 0)));
  const fours = dim - (dim % 4);
  return [
    ...groups.map((g) => set(`sum${g}`, zero4)),
    loop("i", i32(0), i32(fours * 4), 16, fourColumns(0)),
    fours < dim ? loop("i", i32(fours * 4), i32(dim * 4), 4, grown(single, 0)) : "",
  ].join(" ");
}

/** Scores of the block's `n` keys from `kt` on, eight at a time; behind the last key it is taken again, and -inf put in its place. */
function scores(s: Spec<"attention">): string {
  const next = (j: number): string =>
    set(
      `k${j}`,
      `(select ${add(get(`k${j - 1}`), i32(s.ldk * 4))} ${get(`k${j - 1}`)} (i32.lt_s ${add(get("t"), i32(j))} ${get("n")}))`,
    );
  const eight = [
    set("k0", add(get("kt"), mul(get("t"), s.ldk * 4))),
    ...eachKey.slice(1).map(next),
    dotProducts(s.dim),
    ...groups.map((g) => vstore(scoreAt, vmul(get(`sum${g}`), splat(f32(s.scale))), 16 * g)),
  ].join(" ");
  const behind = add(get("scratch"), mul(get("n"), 4));
  return `${loop("t", i32(0), get("n"), keysTogether, eight)} ${vstore(behind, splat(f32(-Infinity)))}`;
}

/** Scores become weights relative to the largest so far, `max`; `soon` is what earlier sums are to be multiplied by, f32 `total` their sum. */
function weights(keys: number): string {
  const eachFour = (body: string): string => loop("t", i32(0), get("n"), 4, body);
  const behind = mul(`(i32.and ${add(get("n"), i32(3))} ${i32(-4)})`, 4);
  const from = (offset: number): string => vload(add(get("scratch"), get("i")), offset);
  return [
    set("p", splat(get("max"))),
    eachFour(set("p", `(f32x4.max ${get("p")} ${vload(scoreAt)})`)),
    set("f", max4(get("p"))),
    set("soon", exp(splat(`(f32.sub ${get("max")} ${get("f")})`))),
    set("max", get("f")),
    eachFour(vstore(scoreAt, exp(`(f32x4.sub ${vload(scoreAt)} ${splat(get("max"))})`))),
    `(memory.fill ${add(get("scratch"), behind)} ${i32(0)} ${sub(i32(keys * 4), behind)})`,
    sumRow("total", keys, from, from),
  ].join(" ");
}

/** The block's weighted sum of `width` values (1 or a multiple of 4) from element `from` of the head, added to what was there times `soon`. */
function values(from: number, width: number, ldv: number): string {
  const parts = sums.slice(0, Math.ceil(width / 4));
  const place = (part: number): number => from * 4 + part * 16;
  const load = (part: number): string =>
    width === 1 ? splat(fload(get("vt"), place(part))) : vload(get("vt"), place(part));
  const body = [
    set("p", vsplat(scoreAt)),
    ...parts.map((sum, part) => set(sum, vadd(get(sum), vmul(get("p"), load(part))))),
    set("vt", add(get("vt"), i32(ldv * 4))),
  ].join(" ");
  const grown = (sum: string, before: string): string => vadd(vmul(before, get("soon")), get(sum));
  return [
    set("vt", get("vh")),
    ...parts.map((sum) => set(sum, zero4)),
    loop("t", i32(0), get("n"), 1, body),
    ...parts.map((sum, part) =>
      width === 1
        ? fstore(get("oh"), lane(grown(sum, splat(fload(get("oh"), place(part)))), 0), place(part))
        : vstore(get("oh"), grown(sum, vload(get("oh"), place(part))), place(part)),
    ),
  ].join(" ");
}

function valueChunks(width: number, ldv: number): string {
  const out: string[] = [];
  for (let from = 0; from < width;) {
    const step = [32, 16, 4, 1].find((it) => it <= width - from) ?? 1;
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
        ...eachKey.map((j) => `k${j}`),
        "vh",
        "vt",
        "oh",
        "t",
        "i",
      ],
      f32: ["max", "weight", "total", "f"],
      v128: ["soon", "p", ...turning, ...sums, ...sumLocals],
    },
    loop("u", get("begin"), get("end"), 1, unit),
  );
}
