import { f32, get, set, splat, vadd, vmul } from "../../../src/wasm/wat.ts";

/**
 * e^x of four lanes: x = n ln 2 + r, a polynomial on r, then n into the exponent. Coefficients of Cephes' expf
 * (Moshier, netlib); relative error below 2e-7. Lanes under -87 give about 1e-38.
 */
const exp4 = (() => {
  const coefficients = [
    1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
  ];
  const polynomial = coefficients
    .slice(1)
    .reduce((sum, c) => vadd(vmul(sum, get("r")), splat(f32(c))), splat(f32(coefficients[0] ?? 0)));
  const body = [
    set("x", `(f32x4.max ${splat(f32(-87.3))} (f32x4.min ${splat(f32(88.3))} ${get("x")}))`),
    set("n", `(f32x4.nearest ${vmul(get("x"), splat(f32(Math.LOG2E)))})`),
    set("r", `(f32x4.sub ${get("x")} ${vmul(get("n"), splat(f32(0.693359375)))})`),
    set("r", `(f32x4.sub ${get("r")} ${vmul(get("n"), splat(f32(-2.1219444e-4)))})`),
    set("p", vadd(vadd(vmul(polynomial, vmul(get("r"), get("r"))), get("r")), splat(f32(1)))),
    vmul(
      get("p"),
      `(i32x4.shl (i32x4.add (i32x4.trunc_sat_f32x4_s ${get("n")}) (v128.const i32x4 127 127 127 127)) (i32.const 23))`,
    ),
  ];
  return `(func $exp4 (param $x v128) (result v128) (local $n v128) (local $r v128) (local $p v128) ${body.join(" ")})`;
})();

export const exp = (x: string): string => `(call $exp4 ${x})`;
/** 1 / (1 + e^-x) of four lanes. */
export const sigmoid = (x: string): string =>
  `(f32x4.div ${splat(f32(1))} ${vadd(splat(f32(1)), exp(`(f32x4.neg ${x})`))})`;

/** Taylor polynomials around 0 are exact to 1e-13 on a quarter turn's half. */
function taylor(first: number, terms: number): string {
  let out = "(f64.const 0)";
  for (let i = terms - 1; i >= 0; i--) {
    let factorial = 1;
    for (let j = 2; j <= 2 * i + first; j++) factorial *= j;
    out = `(f64.add (f64.const ${(i % 2 ? -1 : 1) / factorial}) (f64.mul (local.get $z) ${out}))`;
  }
  return out;
}

/** sin and cos of an f64 angle by whole quarter turns; good to 1e-10 up to 1e6 radians. */
const sincos = `
(func $sincos (param $x f64) (result f64 f64) (local $q f64) (local $r f64) (local $z f64) (local $s f64) (local $c f64) (local $k i32) (local $t f64)
  (local.set $q (f64.nearest (f64.mul (local.get $x) (f64.const ${2 / Math.PI}))))
  (local.set $r (f64.sub (f64.sub (local.get $x) (f64.mul (local.get $q) (f64.const 1.5707963267341256))) (f64.mul (local.get $q) (f64.const 6.077100506506192e-11))))
  (local.set $z (f64.mul (local.get $r) (local.get $r)))
  (local.set $s (f64.mul (local.get $r) ${taylor(1, 8)}))
  (local.set $c ${taylor(0, 9)})
  (local.set $k (i32.and (i32.trunc_sat_f64_s (local.get $q)) (i32.const 3)))
  (if (i32.and (local.get $k) (i32.const 1)) (then
    (local.set $t (local.get $s)) (local.set $s (local.get $c)) (local.set $c (f64.neg (local.get $t)))))
  (if (i32.and (local.get $k) (i32.const 2)) (then
    (local.set $s (f64.neg (local.get $s))) (local.set $c (f64.neg (local.get $c)))))
  (local.get $s) (local.get $c))`;

/** Functions that several kernels share. */
export const mathFunctions: readonly string[] = [exp4, sincos];
