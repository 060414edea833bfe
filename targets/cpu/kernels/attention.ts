import { exp } from "./math.ts";
import type { Spec } from "./spec.ts";
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
  loop,
  mul,
  set,
  splat,
  sub,
  sum4,
  vadd,
  vload,
  vmul,
  vsplat,
  vstore,
  zero4,
} from "../../../src/wasm/wat.ts";

const at = (base: string): string => add(get(base), get("i"));

/** v128 `sum` and f32 `tail` take Σ q[i] * k[i]. */
function dotProduct(dim: number): string {
  return [
    set("sum", zero4),
    set("tail", "(f32.const 0)"),
    elements(
      "i",
      dim,
      set("sum", vadd(get("sum"), vmul(vload(at("qh")), vload(at("kt"))))),
      set("tail", `(f32.add ${get("tail")} (f32.mul ${fload(at("qh"))} ${fload(at("kt"))}))`),
    ),
  ].join(" ");
}

/** Weighted sum of values for elements `from` to `from + width` (16 or 4 or 1) of the head. */
function values(from: number, width: 16 | 4 | 1, ldv: number): string {
  const parts = width === 16 ? [0, 1, 2, 3] : [0];
  const load = (part: number) =>
    width === 1 ? splat(fload(get("vt"), from * 4)) : vload(get("vt"), from * 4 + part * 16);
  const body = [
    set("p", vsplat(add(get("scratch"), mul(get("t"), 4)))),
    ...parts.map((part) => set(`a${part}`, vadd(get(`a${part}`), vmul(get("p"), load(part))))),
    set("vt", add(get("vt"), i32(ldv * 4))),
  ].join(" ");
  return [
    set("vt", get("vh")),
    ...parts.map((part) => set(`a${part}`, zero4)),
    loop("t", i32(0), get("seen"), 1, body),
    ...parts.map((part) => {
      const scaled = vmul(get(`a${part}`), get("inverse"));
      return width === 1
        ? fstore(get("oh"), lane(scaled, 0), from * 4)
        : vstore(get("oh"), scaled, from * 4 + part * 16);
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

/**
 * Causal attention, one (token, head) a unit: scores into the thread's scratch, softmax there, then the weighted values.
 * Query s of S sees the first T - S + s + 1 positions.
 */
export function attention(name: string, s: Spec<"attention">): string {
  const score = [
    dotProduct(s.dim),
    set("f", `(f32.mul (f32.add ${sum4(get("sum"))} ${get("tail")}) ${f32(s.scale)})`),
    fstore(add(get("scratch"), mul(get("t"), 4)), get("f")),
    set("max", `(f32.max ${get("max")} ${get("f")})`),
    set("kt", add(get("kt"), i32(s.ldk * 4))),
  ].join(" ");
  const exponent = [
    set("f", lane(exp(splat(`(f32.sub ${fload(add(get("scratch"), mul(get("t"), 4)))} ${get("max")})`)), 0)),
    fstore(add(get("scratch"), mul(get("t"), 4)), get("f")),
    set("tail", `(f32.add ${get("tail")} ${get("f")})`),
  ].join(" ");
  const four = [
    set("sum", exp(`(f32x4.sub ${vload(add(get("scratch"), mul(get("t"), 4)))} ${splat(get("max"))})`)),
    vstore(add(get("scratch"), mul(get("t"), 4)), get("sum")),
    set("total", vadd(get("total"), get("sum"))),
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
    loop("t", i32(0), get("seen"), 1, score),
    set("total", zero4),
    set("tail", "(f32.const 0)"),
    loop("t", i32(0), `(i32.and ${get("seen")} (i32.const -4))`, 4, four),
    loop("t", `(i32.and ${get("seen")} (i32.const -4))`, get("seen"), 1, exponent),
    set("inverse", splat(`(f32.div (f32.const 1) (f32.add ${sum4(get("total"))} ${get("tail")}))`)),
    valueChunks(s.valueDim, s.ldv),
  ].join(" ");
  return kernel(
    name,
    ["q", "k", "v", "out", "S", "T", "scratch"],
    {
      i32: ["u", "s", "h", "g", "seen", "qh", "kt", "vh", "vt", "oh", "t", "i"],
      f32: ["max", "tail", "f"],
      v128: ["sum", "total", "inverse", "p", "a0", "a1", "a2", "a3"],
    },
    loop("u", get("begin"), get("end"), 1, unit),
  );
}
