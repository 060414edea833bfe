import type { Assemble } from "../../wasm/assemble.ts";
import {
  add,
  f32,
  fstore,
  get,
  i32,
  lane,
  loop,
  mul,
  set,
  splat,
  sum4,
  vadd,
  vload,
  vmul,
  when,
} from "../../wasm/wat.ts";
import { largestShare, shareCount, shareStep } from "../search.ts";

/** Elements as they are stored: what is loaded from a byte address, and what of it is worked with. */
type Source = {
  readonly bytes: number;
  /** The stored bits of one element, without its sign. */
  readonly magnitude: (address: string) => string;
  /** The same of as many elements as 16 bytes hold, in lanes of this shape. */
  readonly magnitudes: (address: string) => string;
  readonly shape: "i16x8" | "i32x4";
  /** The float32 whose magnitude has these bits. */
  readonly float: (bits: string) => string;
  readonly one: (address: string) => string;
  /** Four of sixteen elements as float32. */
  readonly four: (address: string, first: number) => string;
};

const all = (shape: string, lanes: number, word: string): string =>
  `(v128.const ${shape} ${Array(lanes).fill(word).join(" ")})`;

/** The bits of an f32 are those of a bf16 and 16 more: a shuffle with zeros widens four of eight. */
const interleaved = (first: number): string =>
  [0, 1, 2, 3].flatMap((l) => [0, 1, 16 + 2 * (first + l), 17 + 2 * (first + l)]).join(" ");

const sources: { readonly [T in "bf16" | "f32"]: Source } = {
  bf16: {
    bytes: 2,
    magnitude: (address) => `(i32.and (i32.load16_u ${address}) ${i32(0x7fff)})`,
    magnitudes: (address) => `(v128.and (v128.load align=2 ${address}) ${all("i16x8", 8, "0x7fff")})`,
    shape: "i16x8",
    float: (bits) => `(f32.reinterpret_i32 (i32.shl ${bits} ${i32(16)}))`,
    one: (address) => `(f32.reinterpret_i32 (i32.shl (i32.load16_u ${address}) ${i32(16)}))`,
    four: (address, first) =>
      `(i8x16.shuffle ${interleaved(first % 8)} ${all("i32x4", 4, "0")} (v128.load offset=${first < 8 ? 0 : 16} align=2 ${address}))`,
  },
  f32: {
    bytes: 4,
    magnitude: (address) => `(i32.and (i32.load ${address}) ${i32(0x7fffffff)})`,
    magnitudes: (address) => `(v128.and ${vload(address)} ${all("i32x4", 4, "0x7fffffff")})`,
    shape: "i32x4",
    float: (bits) => `(f32.reinterpret_i32 ${bits})`,
    one: (address) => `(f32.load ${address})`,
    four: (address, first) => vload(address, first * 4),
  },
};

/** while (p + bytes <= end) { body; p += bytes } */
const stride = (label: string, bytes: number, body: string): string =>
  `(block $end_${label} (loop $top_${label} (br_if $end_${label} (i32.gt_u ${add(get("p"), i32(bytes))} ${get("end")})) ${body} ${set("p", add(get("p"), i32(bytes)))} (br $top_${label})))`;

/** A positive number to the nearest bf16, ties to even. */
const toBf16 = (x: string): string => {
  const bits = `(local.tee $b (i32.reinterpret_f32 ${x}))`;
  const odd = `(i32.and (i32.shr_u ${get("b")} ${i32(16)}) ${i32(1)})`;
  return `(f32.reinterpret_i32 (i32.and ${add(bits, i32(0x7fff), odd)} ${i32(-65536)}))`;
};

/** The largest lane, unsigned, of the vector `most`. */
function largestLane(shape: Source["shape"]): string {
  const rotated = (bytes: number) =>
    `(i8x16.shuffle ${Array.from({ length: 16 }, (_, i) => (i + bytes) % 16).join(" ")} ${get("most")} ${get("most")})`;
  const folds = [8, 4, ...(shape === "i16x8" ? [2] : [])];
  const lane = shape === "i16x8" ? "i16x8.extract_lane_u" : "i32x4.extract_lane";
  return `(block (result i32) ${folds.map((n) => set("most", `(${shape}.max_u ${get("most")} ${rotated(n)})`)).join(" ")} (${lane} 0 ${get("most")}))`;
}

const maximum = (a: string, b: string): string => `(select ${a} ${b} (i32.gt_u ${a} ${b}))`;

/** The squared error of rounding the numbers from `x` to `end` with a scale, in the order that `squaredError` says. */
function errorFunction(): string {
  const rounded = (x: string) => `(f32x4.nearest ${vmul(x, get("inverse4"))})`;
  const kept = (x: string) => `(f32x4.pmin ${get("high4")} (f32x4.pmax ${get("low4")} ${rounded(x)}))`;
  const off = (x: string) => `(f32x4.sub ${x} ${vmul(kept(x), get("s4"))})`;
  const grow = (sum: string, v: string, offset: number) =>
    [
      set(v, vload(get("x"), offset)),
      set(v, off(get(v))),
      set(sum, vadd(get(sum), vmul(get(v), get(v)))),
    ].join(" ");
  const eight = `${grow("a", "v", 0)} ${grow("b", "w", 16)}`;
  const one = [
    set("v", splat("(f32.load (local.get $x))")),
    set("v", off(get("v"))),
    set("tail", `(f32.add ${get("tail")} ${lane(vmul(get("v"), get("v")), 0)})`),
  ].join(" ");
  const walk = (label: string, bytes: number, body: string) =>
    `(block $end_${label} (loop $top_${label} (br_if $end_${label} (i32.gt_u ${add(get("x"), i32(bytes))} ${get("end")})) ${body} ${set("x", add(get("x"), i32(bytes)))} (br $top_${label})))`;
  return [
    `(func $error (param $x i32) (param $end i32) (param $s f32) (param $low f32) (param $high f32) (result f32)`,
    ["a", "b", "v", "w", "inverse4", "s4", "low4", "high4"].map((it) => `(local $${it} v128)`).join(" "),
    "(local $tail f32)",
    set("s4", splat(get("s"))),
    set("inverse4", splat(`(f32.div ${f32(1)} ${get("s")})`)),
    set("low4", splat(get("low"))),
    set("high4", splat(get("high"))),
    walk("eight", 32, eight),
    walk("one", 4, one),
    set("a", vadd(get("a"), get("b"))),
    `(f32.add ${sum4(get("a"))} ${get("tail")}))`,
  ].join(" ");
}

/** What is added to a number below 2^22 loses its fraction, to nearest even, and leaves a whole number in its lowest bits. */
const magic = 1.5 * 2 ** 23;
const magicBits = 0x4b400000;

/**
 * Rounding as `roundToNearest` defines it, or with scales as `searchSymmetric` finds them if `room` for a group as float32 is given; for
 * symmetric integers whose rows keep scales of their own: `rows` rows of `cols` elements at `from`, a scale for each `group` columns.
 * Scales are written as float32, codes from `least` to `greatest` a byte each unless `codes` is 0. Gives 1 + the first row that
 * holds something not finite, or 0.
 */
function roundingKernel(name: string, s: Source): string {
  const largest = [
    set("most", all("i32x4", 4, "0")),
    set("m", i32(0)),
    stride("largest8", 16, set("most", `(${s.shape}.max_u ${get("most")} ${s.magnitudes(get("p"))})`)),
    stride(
      "largest1",
      s.bytes,
      `${set("b", s.magnitude(get("p")))} ${set("m", maximum(get("m"), get("b")))}`,
    ),
    set("b", largestLane(s.shape)),
    set("most_m", s.float(maximum(get("m"), get("b")))),
    when(`(i32.eqz (f32.lt ${get("most_m")} (f32.const inf)))`, `(return ${add(get("r"), i32(1))})`),
  ];
  const scaleOf = (most: string) =>
    [
      set("t", `(f32.max (f32.div ${most} ${get("greatest")}) ${f32(2 ** -126)})`),
      when(get("narrow"), set("t", toBf16(get("t")))),
    ].join(" ");
  const error = (scale: string) =>
    `(call $error ${get("room")} ${get("m")} ${scale} ${get("least")} ${get("greatest")})`;
  const share = `(f32.sub ${f32(largestShare)} (f32.mul ${f32(shareStep)} (f32.convert_i32_s ${get("j")})))`;
  const search = [
    set("p", get("begin")),
    set("m", get("room")),
    stride("widen", s.bytes, `(f32.store ${get("m")} ${s.one(get("p"))}) ${set("m", add(get("m"), i32(4)))}`),
    set("least_e", error(get("s"))),
    loop(
      "j",
      i32(0),
      i32(shareCount),
      1,
      [
        scaleOf(`(f32.mul ${get("most_m")} ${share})`),
        set("e", error(get("t"))),
        when(`(f32.lt ${get("e")} ${get("least_e")})`, `${set("least_e", get("e"))} ${set("s", get("t"))}`),
      ].join(" "),
    ),
  ].join(" ");
  const scale = [
    scaleOf(get("most_m")),
    set("s", get("t")),
    `(if (f32.eq ${get("most_m")} ${f32(0)}) (then ${set("s", f32(1))}) (else ${when(get("room"), search)}))`,
    fstore(get("scales"), get("s")),
    set("scales", add(get("scales"), i32(4))),
  ];
  const limits = (codes: string) =>
    `(i8x16.min_s ${get("greatest16")} (i8x16.max_s ${get("least16")} ${codes}))`;
  const whole = (values: string) =>
    `(i32x4.sub ${vadd(`(f32x4.div ${values} ${get("scales4")})`, splat(f32(magic)))} ${all("i32x4", 4, String(magicBits))})`;
  const eight = (first: number) =>
    `(i16x8.narrow_i32x4_s ${whole(s.four(get("p"), first))} ${whole(s.four(get("p"), first + 4))})`;
  const quotient = `(f32.nearest (f32.div ${s.one(get("p"))} ${get("s")}))`;
  const single = `(i32.trunc_sat_f32_s (f32.min ${get("greatest")} (f32.max ${get("least")} ${quotient})))`;
  const advance = (bytes: number) => set("out", add(get("out"), i32(bytes)));
  const codes = [
    set("scales4", splat(get("s"))),
    set("p", get("begin")),
    stride(
      "codes16",
      16 * s.bytes,
      `(v128.store align=1 ${get("out")} ${limits(`(i8x16.narrow_i16x8_s ${eight(0)} ${eight(8)})`)}) ${advance(16)}`,
    ),
    stride("codes1", s.bytes, `(i32.store8 ${get("out")} ${single}) ${advance(1)}`),
  ];
  const step = mul(get("group"), s.bytes);
  const group = [
    set("begin", get("p")),
    set("end", add(get("p"), step)),
    when(`(i32.gt_u ${get("end")} ${get("row_end")})`, set("end", get("row_end"))),
    ...largest,
    ...scale,
    when(get("codes"), codes.join(" ")),
  ].join(" ");
  const row = [
    set("row_end", add(get("p"), mul(get("cols"), s.bytes))),
    `(block $end_g (loop $top_g (br_if $end_g (i32.ge_u ${get("p")} ${get("row_end")})) ${group} (br $top_g)))`,
  ].join(" ");
  const params = ["from", "codes", "scales", "rows", "cols", "group", "narrow", "room"];
  const locals = ["r", "out", "begin", "end", "row_end", "p", "m", "b", "j"].map(
    (it) => `(local $${it} i32)`,
  );
  return [
    `(func $${name} (export "${name}") ${params.map((it) => `(param $${it} i32)`).join(" ")} (param $least f32) (param $greatest f32) (result i32)`,
    `${locals.join(" ")} ${["most_m", "s", "t", "e", "least_e"].map((it) => `(local $${it} f32)`).join(" ")}`,
    ["most", "scales4", "least16", "greatest16"].map((it) => `(local $${it} v128)`).join(" "),
    set("least16", `(i8x16.splat (i32.trunc_sat_f32_s ${get("least")}))`),
    set("greatest16", `(i8x16.splat (i32.trunc_sat_f32_s ${get("greatest")}))`),
    `${set("p", get("from"))} ${set("out", get("codes"))} ${loop("r", i32(0), get("rows"), 1, row)} ${i32(0)})`,
  ].join(" ");
}

/** The code of a row rounder, to be compiled once and given to every thread. */
export const roundingCode = async (assemble: Assemble): Promise<WebAssembly.Module> =>
  new WebAssembly.Module(
    await assemble(
      `(module (memory (export "memory") 1) ${errorFunction()} ${roundingKernel("bf16", sources.bf16)} ${roundingKernel("f32", sources.f32)})`,
    ),
  );
