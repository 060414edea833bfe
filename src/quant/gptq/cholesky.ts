/** Dense symmetric positive definite matrices [n, n], row-major, in float64. */

/** The lower factor L with L L^T = a, in place of a's lower half; the upper half becomes zero. False where a is not positive definite. */
export function cholesky(a: Float64Array, n: number): boolean {
  for (let j = 0; j < n; j++) {
    const rowJ = j * n;
    for (let i = 0; i < j; i++) {
      const rowI = i * n;
      let sum = a[rowJ + i] ?? 0;
      for (let p = 0; p < i; p++) sum -= (a[rowJ + p] ?? 0) * (a[rowI + p] ?? 0);
      a[rowJ + i] = sum / (a[rowI + i] ?? 1);
    }
    let pivot = a[rowJ + j] ?? 0;
    for (let p = 0; p < j; p++) pivot -= (a[rowJ + p] ?? 0) ** 2;
    if (!(pivot > 0)) return false;
    a[rowJ + j] = Math.sqrt(pivot);
    a.fill(0, rowJ + j + 1, rowJ + n);
  }
  return true;
}

/** The inverse of a lower factor, row-major. */
function invertLower(l: Float64Array, n: number): Float64Array {
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const row = i * n;
    const pivot = 1 / (l[row + i] ?? 1);
    for (let p = 0; p < i; p++) {
      const f = (l[row + p] ?? 0) * -pivot;
      if (f !== 0)
        for (let j = 0; j <= p; j++) out[row + j] = (out[row + j] ?? 0) + f * (out[p * n + j] ?? 0);
    }
    out[row + i] = pivot;
  }
  return out;
}

/**
 * The upper factor U with U^T U = a^-1. With J the exchange of first and last, J a J = L L^T gives a^-1 = (J L^-1 J)^T (J L^-1 J), and
 * J L^-1 J is upper. Undefined where a is not positive definite.
 */
export function inverseUpperFactor(a: Float64Array, n: number): Float64Array | undefined {
  const turned = Float64Array.from(a).reverse();
  if (!cholesky(turned, n)) return undefined;
  return invertLower(turned, n).reverse();
}
