import { groupCount, groupWidth, type Quantized, type WeightFormat } from "../../tensor/format.ts";
import { codeRange, cover, nearestCode } from "./nearest.ts";

/** Shares of the full range that are tried. */
const shares = Float64Array.from({ length: 46 }, (_, i) => 1.08 - i * 0.012);

/** The scale and zero point of each group, as in `Quantized`. */
export type Grid = Pick<Quantized, "scales" | "zeros">;

/**
 * Scales that give the least squared error of rounding to nearest, each column weighed by `importance` (the mean square of its
 * activation; all alike where absent). Ranges from 1.08 down to 0.54 of the full one are tried, the full one included.
 */
export function searchGrid(
  w: Float32Array,
  rows: number,
  cols: number,
  format: WeightFormat,
  importance?: ArrayLike<number>,
): Grid {
  const width = groupWidth(format, cols);
  const groups = groupCount(format, cols);
  const scales = new Float32Array(rows * groups);
  const zeros = format.symmetric ? undefined : new Int8Array(rows * groups);
  const weigh = importance ?? new Float64Array(cols).fill(1);
  for (let top = 0; top < rows; top += format.blockRows)
    for (let g = 0; g < groups; g++) {
      const block = {
        top,
        bottom: Math.min(rows, top + format.blockRows),
        from: g * width,
        to: Math.min(cols, (g + 1) * width),
      };
      const { scale, zero } = searchBlock(w, cols, block, format, weigh);
      for (let row = top; row < block.bottom; row++) {
        scales[row * groups + g] = scale;
        if (zeros) zeros[row * groups + g] = zero;
      }
    }
  return { scales, ...(zeros && { zeros }) };
}

type Block = { readonly top: number; readonly bottom: number; readonly from: number; readonly to: number };

function searchBlock(
  w: Float32Array,
  cols: number,
  block: Block,
  format: WeightFormat,
  weigh: ArrayLike<number>,
) {
  let [low, high] = [0, 0];
  for (let row = block.top; row < block.bottom; row++)
    for (let i = row * cols + block.from; i < row * cols + block.to; i++) {
      const x = w[i] ?? 0;
      if (x < low) low = x;
      if (x > high) high = x;
    }
  let best = cover(low, high, format);
  if (low === high) return best;
  let least = blockError(w, cols, block, format, weigh, best.scale, best.zero);
  for (const share of shares) {
    const { scale, zero } = cover(low * share, high * share, format);
    const error = blockError(w, cols, block, format, weigh, scale, zero, least);
    if (error < least) [best, least] = [{ scale, zero }, error];
  }
  return best;
}

/** The weighed squared error of a block; gives up beyond `limit`. */
function blockError(
  w: Float32Array,
  cols: number,
  { top, bottom, from, to }: Block,
  format: WeightFormat,
  weigh: ArrayLike<number>,
  scale: number,
  zero: number,
  limit = Infinity,
): number {
  const [least, greatest] = codeRange(format);
  const [low, high, inverse] = [least - zero, greatest - zero, 1 / scale];
  let sum = 0;
  for (let row = top; row < bottom && sum < limit; row++)
    for (let i = from; i < to; i++) {
      const x = w[row * cols + i] ?? 0;
      let code = nearestCode(x * inverse, format.codes);
      if (code < low) code = low;
      else if (code > high) code = high;
      const error = x - code * scale;
      sum += error * error * (weigh[i] ?? 0);
    }
  return sum;
}

/** Round to nearest on a given grid. */
export function roundOnGrid(
  w: Float32Array,
  rows: number,
  cols: number,
  format: WeightFormat,
  grid: Grid,
): Quantized {
  const width = groupWidth(format, cols);
  const groups = groupCount(format, cols);
  const [least, greatest] = codeRange(format);
  const codes = new Int8Array(rows * cols);
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < cols; i++) {
      const g = row * groups + Math.floor(i / width);
      const quotient = Math.fround((w[row * cols + i] ?? 0) / (grid.scales[g] ?? 1));
      const code = nearestCode(quotient, format.codes) + (grid.zeros?.[g] ?? 0);
      codes[row * cols + i] = Math.max(least, Math.min(greatest, code));
    }
  return { codes, ...grid };
}
