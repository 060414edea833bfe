/**
 * Elementary functions as fixed sequences of IEEE operations. Libraries and chips differ in the last bit of these; what follows the same steps, in
 * whatever language, does not. The CPU's kernels and the simulated vector units do, so that an activation on the edge between two integer codes
 * falls on the same side on both.
 */

const f = Math.fround;

/** What is added to a float64 and taken off again leaves it a whole number, ties to even: 1.5 * 2^52. */
const magic = 6755399441055744;

/** Below `least` e^x is 0; beyond `most` it is e^most. ln 2 is in two parts, the first of which n times is exact. */
export const expRange = { least: f(-87.3), most: f(88.3) } as const;
export const expLog2 = { first: f(0.693359375), second: f(-2.1219444e-4), inverse: f(Math.LOG2E) } as const;

/** Coefficients of r^2 (c0 r^5 + … + c5) + r + 1, Cephes' expf (Moshier, netlib). */
export const expCoefficients: readonly number[] = [
  1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
].map(f);

const powers = Float32Array.from({ length: 256 }, (_, i) => 2 ** (i - 127));

/**
 * e^x in float32, every step rounded: x = n ln 2 + r, a polynomial on r, then n into the exponent. Relative error below 2e-7.
 * NaN for NaN.
 */
export function exp32(value: number): number {
  if (value < expRange.least) return 0;
  const x = Math.min(value, expRange.most);
  const n = f(x * expLog2.inverse) + magic - magic;
  const r = f(f(x - f(n * expLog2.first)) - f(n * expLog2.second));
  const [c0 = 0, c1 = 0, c2 = 0, c3 = 0, c4 = 0, c5 = 0] = expCoefficients;
  let p = f(f(c0 * r) + c1);
  p = f(f(p * r) + c2);
  p = f(f(p * r) + c3);
  p = f(f(p * r) + c4);
  p = f(f(p * r) + c5);
  return f(f(f(f(p * f(r * r)) + r) + 1) * (powers[n + 127] ?? NaN));
}

/** A quarter turn in two parts; the first, times a whole number below 2^20, is exact in float64. */
export const quarterTurn = { inverse: 2 / Math.PI, first: 1.5707963267341256, second: 6.077100506506192e-11 };

/** Coefficients of Taylor's series in z = x^2, the highest power first: exact to 1e-13 up to an eighth of a turn. */
const taylor = (first: number, terms: number): readonly number[] => {
  const factorials = [1];
  for (let i = 1; i < 2 * terms + first; i++) factorials.push((factorials[i - 1] ?? 1) * i);
  return Array.from(
    { length: terms },
    (_, i) => (i % 2 ? -1 : 1) / (factorials[2 * i + first] ?? 1),
  ).reverse();
};
export const sinCoefficients = taylor(1, 8);
export const cosCoefficients = taylor(0, 9);

const polynomial = (coefficients: readonly number[], z: number): number =>
  coefficients.reduce((sum, c) => c + z * sum, 0);

/** Sine and cosine in float64 by whole quarter turns; good to 1e-10 up to 1e6 radians. */
export function sincos(x: number): readonly [sin: number, cos: number] {
  const q = x * quarterTurn.inverse + magic - magic;
  const r = x - q * quarterTurn.first - q * quarterTurn.second;
  const [sin, cos] = [r * polynomial(sinCoefficients, r * r), polynomial(cosCoefficients, r * r)];
  const turned: readonly (readonly [number, number])[] = [
    [sin, cos],
    [cos, -sin],
    [-sin, -cos],
    [-cos, sin],
  ];
  return turned[((q % 4) + 4) % 4] ?? [NaN, NaN];
}
