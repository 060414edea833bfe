import {
  add,
  f32,
  get,
  i32,
  kernel,
  loop,
  mul,
  set,
  shuffle,
  splat,
  vadd,
  vload,
  vmul,
  vstore,
} from "../../../src/wasm/wat.ts";
import type { Spec } from "./spec.ts";

/** Two lanes orders of a vector, the second with signs: one stage within four elements. */
const within = (v: string, first: readonly number[], second: readonly number[], signs: string): string =>
  vadd(shuffle(first, v, v), vmul(shuffle(second, v, v), `(v128.const f32x4 ${signs})`));

/** Each `block` elements of a row rotated, as tensor/hadamard.ts says. Units are rows. */
export function hadamard(name: string, s: Spec<"hadamard">): string {
  const stages = Math.log2(s.block);
  const at = add(get("outr"), get("i"));
  const start = [
    set("v", vload(add(get("xr"), get("i")))),
    set("v", within(get("v"), [0, 0, 2, 2], [1, 1, 3, 3], "1 -1 1 -1")),
    set("v", within(get("v"), [0, 1, 0, 1], [2, 3, 2, 3], "1 1 -1 -1")),
    vstore(at, get("v")),
  ].join(" ");
  const stage = (half: number): string =>
    loop(
      "from",
      i32(0),
      i32(s.n * 4),
      half * 8,
      loop(
        "i",
        get("from"),
        add(get("from"), i32(half * 4)),
        16,
        [
          set("v", vload(at)),
          set("w", vload(at, half * 4)),
          vstore(at, vadd(get("v"), get("w"))),
          vstore(at, `(f32x4.sub ${get("v")} ${get("w")})`, half * 4),
        ].join(" "),
      ),
    );
  const scale = loop(
    "i",
    i32(0),
    i32(s.n * 4),
    16,
    vstore(at, vmul(vload(at), splat(f32(1 / Math.sqrt(s.block))))),
  );
  const row = [
    set("xr", add(get("x"), mul(get("s"), s.ldx * 4))),
    set("outr", add(get("out"), mul(get("s"), s.n * 4))),
    loop("i", i32(0), i32(s.n * 4), 16, start),
    ...Array.from({ length: Math.max(0, stages - 2) }, (_, k) => stage(2 ** (k + 2))),
    scale,
  ].join(" ");
  return kernel(
    name,
    ["x", "out", "S"],
    { i32: ["s", "i", "from", "xr", "outr"], v128: ["v", "w"] },
    loop("s", get("begin"), get("end"), 1, row),
  );
}
