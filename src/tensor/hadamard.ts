/**
 * Rotations by Hadamard matrices (QuaRot, Ashkboos et al. 2024): they spread what stands out in few columns over all of them, so that a
 * row's largest magnitude, and with it its rounding error, shrinks. The matrix is Sylvester's, symmetric and its own inverse.
 */

const largestBlock = 1024;

/**
 * Columns that are rotated together in rows of `cols`: the largest power of two that divides them, each of `shares` even parts of them where there
 * are such, and leaves as many runs; or 1, not worth it below 8.
 */
export function rotationOf(cols: number, shares = 1): number {
  const part = cols % shares === 0 ? cols / shares : cols;
  let power = Math.min(part & -part, largestBlock);
  while (power > 1 && cols / power < shares) power /= 2;
  return power >= 8 ? power : 1;
}

/**
 * Rotate each `block` consecutive elements in place: sums and differences of neighbours 1, 2, 4, … apart, each rounded as the array holds it, then
 * all times the float32 nearest to 1 / sqrt(block).
 */
export function rotateBlocks(x: Float32Array | Float64Array, block: number): void {
  if (block === 1) return;
  for (let half = 1; half < block; half *= 2)
    for (let from = 0; from < x.length; from += 2 * half)
      for (let i = from; i < from + half; i++) {
        const [a, b] = [x[i] ?? 0, x[i + half] ?? 0];
        x[i] = a + b;
        x[i + half] = a - b;
      }
  const scale = Math.fround(1 / Math.sqrt(block));
  for (let i = 0; i < x.length; i++) x[i] = (x[i] ?? 0) * scale;
}
