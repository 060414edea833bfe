import {
  add,
  elements,
  f32,
  fload,
  fstore,
  get,
  i32,
  kernel,
  lanes,
  loop,
  max4,
  mul,
  set,
  splat,
  vload,
  vmul,
  vstore,
  zero4,
} from "../../../src/wasm/wat.ts";
import type { Spec } from "./spec.ts";

/** Bytes from one row of codes to the next: k filled up to what a word of four-bit weights spans. */
export const codesWidth = (k: number): number => Math.ceil(k / 8) * 8;

/**
 * Rows of x [S, k] as signed bytes and a scale each, for the integer kernels. With m = max |x| of a row, all in float32:
 * scale = m / 127, or 1 where m is 0; code = x / scale, rounded to nearest, ties to even, kept within -127 … 127. What fills
 * a row of codes up is 0. Units are rows.
 */
export function quantizeRows(name: string, s: Spec<"quantizeRows">): string {
  const width = codesWidth(s.k);
  const x = (load: (address: string) => string) => load(add(get("xr"), get("i")));
  const code = (values: string) =>
    bounded(`(i32x4.trunc_sat_f32x4_s (f32x4.nearest (f32x4.div ${values} ${get("scale")})))`);
  const to = add(get("outr"), `(i32.shr_u ${get("i")} (i32.const 2))`);
  const largest = (values: string) => set("most", `(f32x4.max ${get("most")} (f32x4.abs ${values}))`);
  const one = splat(x(fload));
  const row = [
    set("xr", add(get("x"), mul(get("s"), s.ldx * 4))),
    set("outr", add(get("codes"), mul(get("s"), width))),
    set("most", zero4),
    elements("i", s.k, largest(x(vload)), largest(one)),
    set("m", max4(get("most"))),
    set("m", `(select ${f32(1)} (f32.div ${get("m")} ${f32(127)}) (f32.eq ${get("m")} ${f32(0)}))`),
    fstore(add(get("scales"), mul(get("s"), 4)), get("m")),
    set("scale", splat(get("m"))),
    elements(
      "i",
      s.k,
      `(i32.store align=1 ${to} ${lowBytes(code(x(vload)))})`,
      `(i32.store8 ${to} (i32x4.extract_lane 0 ${code(one)}))`,
    ),
    width > s.k ? `(memory.fill ${add(get("outr"), i32(s.k))} ${i32(0)} ${i32(width - s.k)})` : "",
  ].join(" ");
  return kernel(
    name,
    ["x", "codes", "scales", "S"],
    { i32: ["s", "i", "xr", "outr"], f32: ["m"], v128: ["most", "scale"] },
    loop("s", get("begin"), get("end"), 1, row),
  );
}

/** Rows of codes as `quantizeRows` leaves them, each times its scale, as x [S, k]. Units are rows. */
export function dequantizeRows(name: string, s: Spec<"dequantizeRows">): string {
  const from = add(get("codesr"), `(i32.shr_u ${get("i")} ${i32(2)})`);
  const to = add(get("outr"), get("i"));
  const four = `(f32x4.convert_i32x4_s (i32x4.extend_low_i16x8_s (i16x8.extend_low_i8x16_s (v128.load32_zero ${from}))))`;
  const row = [
    set("codesr", add(get("codes"), mul(get("s"), codesWidth(s.k)))),
    set("outr", add(get("out"), mul(get("s"), s.k * 4))),
    set("m", fload(add(get("scales"), mul(get("s"), 4)))),
    set("scale", splat(get("m"))),
    elements(
      "i",
      s.k,
      vstore(to, vmul(four, get("scale"))),
      fstore(to, `(f32.mul (f32.convert_i32_s (i32.load8_s ${from})) ${get("m")})`),
    ),
  ].join(" ");
  return kernel(
    name,
    ["codes", "scales", "out", "S"],
    { i32: ["s", "i", "codesr", "outr"], f32: ["m"], v128: ["scale"] },
    loop("s", get("begin"), get("end"), 1, row),
  );
}

const all = (n: number): string => `(v128.const i32x4 ${lanes.map(() => n).join(" ")})`;
const bounded = (codes: string): string => `(i32x4.max_s (i32x4.min_s ${codes} ${all(127)}) ${all(-127)})`;

/** The lowest byte of each word, as one word. */
const lowBytes = (words: string): string =>
  `(i32x4.extract_lane 0 (i8x16.swizzle ${words} (v128.const i8x16 0 4 8 12 ${Array(12).fill(128).join(" ")})))`;
