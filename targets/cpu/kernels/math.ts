import {
  cosCoefficients,
  expCoefficients,
  expLog2,
  expRange,
  quarterTurn,
  sinCoefficients,
} from "../../../src/support/elementary.ts";
import { f32, get, set, splat, vadd, vmul } from "../../../src/wasm/wat.ts";

const by = (constant: number): string => splat(f32(constant));

/** e^x of four lanes, step for step as `exp32` of support/elementary.ts. */
const exp4 = (() => {
  const [first = 0, ...others] = expCoefficients;
  const polynomial = others.reduce((sum, c) => vadd(vmul(sum, get("r")), by(c)), by(first));
  const body = [
    set("tiny", `(f32x4.lt ${get("x")} ${by(expRange.least)})`),
    set("x", `(f32x4.max ${by(expRange.least)} (f32x4.min ${by(expRange.most)} ${get("x")}))`),
    set("n", `(f32x4.nearest ${vmul(get("x"), by(expLog2.inverse))})`),
    set("r", `(f32x4.sub ${get("x")} ${vmul(get("n"), by(expLog2.first))})`),
    set("r", `(f32x4.sub ${get("r")} ${vmul(get("n"), by(expLog2.second))})`),
    set("p", vadd(vadd(vmul(polynomial, vmul(get("r"), get("r"))), get("r")), by(1))),
    set(
      "p",
      vmul(
        get("p"),
        `(i32x4.shl (i32x4.add (i32x4.trunc_sat_f32x4_s ${get("n")}) (v128.const i32x4 127 127 127 127)) (i32.const 23))`,
      ),
    ),
    `(v128.andnot ${get("p")} ${get("tiny")})`,
  ];
  return `(func $exp4 (param $x v128) (result v128) (local $n v128) (local $r v128) (local $p v128) (local $tiny v128) ${body.join(" ")})`;
})();

export const exp = (x: string): string => `(call $exp4 ${x})`;
/** 1 + e^-x of four lanes, what sigmoid and silu are divided by. */
const denominator = (x: string): string => vadd(by(1), exp(`(f32x4.neg ${x})`));
/** 1 / (1 + e^-x) of four lanes. */
export const sigmoid = (x: string): string => `(f32x4.div ${by(1)} ${denominator(x)})`;
/** x / (1 + e^-x) of four lanes. */
export const silu = (x: string): string => `(f32x4.div ${x} ${denominator(x)})`;

const polynomial64 = (coefficients: readonly number[]): string =>
  coefficients.reduce(
    (sum, c) => `(f64.add (f64.const ${c}) (f64.mul (local.get $z) ${sum}))`,
    "(f64.const 0)",
  );

/** sin and cos of an f64 angle, step for step as `sincos` of support/elementary.ts. */
const sincos = `
(func $sincos (param $x f64) (result f64 f64) (local $q f64) (local $r f64) (local $z f64) (local $s f64) (local $c f64) (local $k i32) (local $t f64)
  (local.set $q (f64.nearest (f64.mul (local.get $x) (f64.const ${quarterTurn.inverse}))))
  (local.set $r (f64.sub (f64.sub (local.get $x) (f64.mul (local.get $q) (f64.const ${quarterTurn.first}))) (f64.mul (local.get $q) (f64.const ${quarterTurn.second}))))
  (local.set $z (f64.mul (local.get $r) (local.get $r)))
  (local.set $s (f64.mul (local.get $r) ${polynomial64(sinCoefficients)}))
  (local.set $c ${polynomial64(cosCoefficients)})
  (local.set $k (i32.and (i32.trunc_sat_f64_s (local.get $q)) (i32.const 3)))
  (if (i32.and (local.get $k) (i32.const 1)) (then
    (local.set $t (local.get $s)) (local.set $s (local.get $c)) (local.set $c (f64.neg (local.get $t)))))
  (if (i32.and (local.get $k) (i32.const 2)) (then
    (local.set $s (f64.neg (local.get $s))) (local.set $c (f64.neg (local.get $c)))))
  (local.get $s) (local.get $c))`;

/** Functions that several kernels share. */
export const mathFunctions: readonly string[] = [exp4, sincos];
