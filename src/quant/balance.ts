import type { WeightFormat } from "../tensor/format.ts";
import { roundToNearest } from "./rounding/nearest.ts";
import { outputError } from "./output-error.ts";

/** Matrices that read the same channels, and what is known of these. */
export type Balanced = {
  readonly channels: number;
  /** Second moments of the channels. */
  readonly inputs: Float64Array;
  /** The greatest magnitude that each channel was seen to have. */
  readonly peaks: ArrayLike<number>;
  readonly readers: readonly {
    readonly w: Float32Array;
    readonly rows: number;
    readonly format: WeightFormat;
  }[];
};

/** Finds one positive factor a channel: readers' columns are multiplied by it, the channels divided. */
export type Balancer = (it: Balanced) => Float32Array;

const [smallest, greatest] = [1e-3, 1e3];

/** Factors about 1, within bounds; channels that are never used keep 1. */
function moderate(raw: ArrayLike<number>): Float32Array {
  let [sum, count] = [0, 0];
  for (let i = 0; i < raw.length; i++)
    if ((raw[i] ?? 0) > 0 && Number.isFinite(raw[i])) {
      sum += Math.log(raw[i] ?? 1);
      count++;
    }
  const middle = count > 0 ? Math.exp(sum / count) : 1;
  return Float32Array.from({ length: raw.length }, (_, i) => {
    const x = (raw[i] ?? 0) / middle;
    return x > 0 && Number.isFinite(x) ? Math.min(greatest, Math.max(smallest, x)) : 1;
  });
}

/**
 * SmoothQuant (Xiao et al. 2022, arXiv 2211.10438, eq. 4) with alpha 1/2: the peaks of channels and of the columns that read them meet
 * half way.
 */
export const smooth: Balancer = ({ channels, peaks, readers }) => {
  const columns = new Float32Array(channels);
  for (const { w } of readers)
    w.forEach((x, i) => (columns[i % channels] = Math.max(Math.abs(x), columns[i % channels] ?? 0)));
  return moderate(
    Float64Array.from(columns, (most, i) => (most > 0 ? Math.sqrt((peaks[i] ?? 0) / most) : 0)),
  );
};

const steps = 20;

/**
 * AWQ (Lin et al. 2023, arXiv 2306.00978, section 3.2): the root mean square of each channel to a power from 0 to 1, that with which
 * rounding the readers to nearest errs least in what they give.
 */
export const awq: Balancer = ({ channels, inputs, readers }) => {
  const sizes = Float64Array.from({ length: channels }, (_, i) => Math.sqrt(inputs[i * channels + i] ?? 0));
  let best = new Float32Array(channels).fill(1);
  let least = Infinity;
  for (let step = 0; step < steps; step++) {
    const factors = moderate(sizes.map((x) => x ** (step / steps)));
    const moved = inputs.map(
      (x, i) => x / ((factors[Math.floor(i / channels)] ?? 1) * (factors[i % channels] ?? 1)),
    );
    let error = 0;
    for (const { w, rows, format } of readers) {
      const scaled = w.map((x, i) => x * (factors[i % channels] ?? 1));
      error += outputError(
        scaled,
        roundToNearest(scaled, rows, channels, format),
        rows,
        channels,
        moved,
        format,
      );
    }
    if (error < least) [best, least] = [factors as Float32Array<ArrayBuffer>, error];
  }
  return best;
};
