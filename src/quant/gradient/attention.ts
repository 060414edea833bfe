/** Gradients of causal attention over a sequence from its start. */
import { addProduct, type Products } from "../products.ts";

/** Queries and keys [tokens, dim] and values [tokens, width] of one head. */
export type Head = {
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
  readonly dim: number;
  readonly width: number;
};

/** The gradients of a head's queries, keys and values from `out`, that of its answer. */
export function headBackward(
  { q, k, v, dim, width }: Head,
  out: Float32Array,
  scale: number,
  products: Products,
): Pick<Head, "q" | "k" | "v"> {
  const tokens = q.length / dim;
  const shares = pairs(q, k, dim, products);
  const back = pairs(out, v, width, products);
  for (let t = 0; t < tokens; t++) {
    const at = t * tokens;
    let most = -Infinity;
    for (let j = 0; j <= t; j++) most = Math.max(most, (shares[at + j] ?? 0) * scale);
    let total = 0;
    for (let j = 0; j <= t; j++) total += shares[at + j] = Math.exp((shares[at + j] ?? 0) * scale - most);
    let mean = 0;
    for (let j = 0; j <= t; j++) {
      shares[at + j] = (shares[at + j] ?? 0) / total;
      mean += (shares[at + j] ?? 0) * (back[at + j] ?? 0);
    }
    for (let j = 0; j <= t; j++) back[at + j] = (shares[at + j] ?? 0) * ((back[at + j] ?? 0) - mean) * scale;
    shares.fill(0, at + t + 1, at + tokens);
    back.fill(0, at + t + 1, at + tokens);
  }
  const toQ = new Float32Array(q.length);
  addProduct(products, toQ, back, k, tokens, dim);
  return { q: toQ, k: across(back, q, dim, products), v: across(shares, out, width, products) };
}

/** a[t] . b[j] for all rows t and j up to t; what lies beyond is undefined. */
function pairs(a: Float32Array, b: Float32Array, width: number, { outer }: Products): Float32Array {
  const tokens = a.length / width;
  const fill = (toA: Float32Array, strideA: number, toB: Float32Array, stride: number) => {
    for (let t = 0; t < tokens; t++)
      for (let i = 0; i < width; i++) {
        toA[i * strideA + t] = a[t * width + i] ?? 0;
        toB[i * stride + t] = b[t * width + i] ?? 0;
      }
  };
  const { sum, stride } = outer(width, tokens, tokens, fill, (t) => t + 1);
  return packed(sum, stride, tokens, tokens);
}

/** The sum over rows t of m[t, j] x[t] for every j. */
function across(m: Float32Array, x: Float32Array, width: number, { outer }: Products): Float32Array {
  const tokens = x.length / width;
  const fill = (a: Float32Array, strideA: number, b: Float32Array, stride: number) => {
    for (let t = 0; t < tokens; t++) {
      a.set(m.subarray(t * tokens, (t + 1) * tokens), t * strideA);
      b.set(x.subarray(t * width, (t + 1) * width), t * stride);
    }
  };
  const { sum, stride } = outer(tokens, tokens, width, fill);
  return packed(sum, stride, tokens, width);
}

const packed = (x: Float32Array, stride: number, rows: number, width: number): Float32Array =>
  columns(x.subarray(0, rows * stride), stride, 0, width);

/** Columns begin..begin+width of rows of `stride`, side by side. */
export function columns(
  x: Float32Array,
  stride: number,
  begin: number,
  width: number,
): Float32Array<ArrayBuffer> {
  const rows = x.length / stride;
  const out = new Float32Array(rows * width);
  for (let r = 0; r < rows; r++)
    out.set(x.subarray(r * stride + begin, r * stride + begin + width), r * width);
  return out;
}

/** The other way: add what stands side by side to such columns. */
export function addColumns(
  into: Float32Array,
  stride: number,
  begin: number,
  x: Float32Array,
  width: number,
): void {
  for (let r = 0; r * width < x.length; r++)
    for (let i = 0; i < width; i++)
      into[r * stride + begin + i] = (into[r * stride + begin + i] ?? 0) + (x[r * width + i] ?? 0);
}
