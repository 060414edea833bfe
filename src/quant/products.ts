import type { Assemble } from "../wasm/assemble.ts";
import { add, get, i32, kernel, lanes, loop, set, vadd, vload, vmul, vsplat, vstore, zero4 } from "../wasm/wat.ts"; // prettier-ignore

/** Sums of outer products of float32 rows, the inner loop of moments and gradients. */
export type Products = {
  /**
   * The sum over `count` rows of a[row]^T b[row], [m, n] with rows of `stride` elements, valid until the next call. `fill` is given
   * room for a [count, strideA] and b [count, stride]. Of row i only the first `reach(i)` columns are made. Sums are float32.
   */
  readonly outer: (
    count: number,
    m: number,
    n: number,
    fill: (a: Float32Array, strideA: number, b: Float32Array, stride: number) => void,
    reach?: (i: number) => number,
  ) => { readonly sum: Float32Array; readonly stride: number };
};

const [tileRows, tileCols] = [4, 8];

/** Four rows of the sum, columns 0 to `end` bytes, eight at a time. */
function strip(): string {
  const accumulators = lanes.flatMap((r) => [`c${r}0`, `c${r}1`]);
  const step = [
    set("b0", vload(get("pb"))),
    set("b1", vload(get("pb"), 16)),
    ...lanes.flatMap((r) => [
      set("s", vsplat(get("pa"), r * 4)),
      set(`c${r}0`, vadd(get(`c${r}0`), vmul(get("s"), get("b0")))),
      set(`c${r}1`, vadd(get(`c${r}1`), vmul(get("s"), get("b1")))),
    ]),
    set("pa", add(get("pa"), get("strideA"))),
    set("pb", add(get("pb"), get("stride"))),
  ].join(" ");
  const body = [
    ...accumulators.map((name) => set(name, zero4)),
    set("pa", get("a")),
    set("pb", add(get("b"), get("j"))),
    loop("k", i32(0), get("count"), 1, step),
    set("pc", add(get("c"), get("j"))),
    ...lanes.flatMap((r) => [
      vstore(get("pc"), get(`c${r}0`)),
      vstore(get("pc"), get(`c${r}1`), 16),
      set("pc", add(get("pc"), get("stride"))),
    ]),
  ].join(" ");
  return kernel(
    "strip",
    ["a", "b", "c", "strideA", "stride", "count"],
    { i32: ["j", "k", "pa", "pb", "pc"], v128: ["b0", "b1", "s", ...accumulators] },
    loop("j", get("begin"), get("end"), tileCols * 4, body),
  );
}

/** The code of products, to be compiled once. */
export const productsCode = async (assemble: Assemble): Promise<WebAssembly.Module> =>
  new WebAssembly.Module(await assemble(`(module (memory (export "memory") 1) ${strip()})`));

type Strip = (
  a: number,
  b: number,
  c: number,
  strideA: number,
  stride: number,
  count: number,
  begin: number,
  end: number,
) => void;
type Exports = { readonly memory: WebAssembly.Memory; readonly strip: Strip };

const pageBytes = 65536;
const upTo = (n: number, of: number): number => Math.ceil(n / of) * of;

export function createProducts(code: WebAssembly.Module): Products {
  const { memory, strip: run } = new WebAssembly.Instance(code).exports as Exports; // as the text above exports them
  return {
    outer: (count, m, n, fill, reach = () => n) => {
      const [strideA, stride] = [upTo(m, tileRows), upTo(n, tileCols)];
      const b = strideA * count * 4;
      const c = b + stride * count * 4;
      const missing = c + strideA * stride * 4 - memory.buffer.byteLength;
      if (missing > 0) memory.grow(Math.ceil(missing / pageBytes));
      const floats = (at: number, length: number) => new Float32Array(memory.buffer, at, length);
      fill(floats(0, strideA * count), strideA, floats(b, stride * count), stride);
      for (let i = 0; i < m; i += tileRows) {
        const end = upTo(Math.min(n, reach(Math.min(m, i + tileRows) - 1)), tileCols);
        run(i * 4, b, c + i * stride * 4, strideA * 4, stride * 4, count, 0, end * 4);
      }
      return { sum: floats(c, strideA * stride), stride };
    },
  };
}

/** Rows taken together. */
const block = 256;

/** out[row] += x[row] @ w, for x [rows, from] and w [from, to] from element `wAt`, rows of `out` as wide as w's. */
export function addProduct(
  { outer }: Products,
  out: Float32Array,
  x: Float32Array,
  w: Float32Array,
  from: number,
  to: number,
  wAt = 0,
): void {
  for (let first = 0; first * from < x.length; first += block) {
    const rows = Math.min(block, x.length / from - first);
    const fill = (a: Float32Array, strideA: number, b: Float32Array, stride: number) => {
      for (let k = 0; k < from; k++) {
        for (let r = 0; r < rows; r++) a[k * strideA + r] = x[(first + r) * from + k] ?? 0;
        b.set(w.subarray(wAt + k * to, wAt + (k + 1) * to), k * stride);
      }
    };
    const { sum, stride } = outer(from, rows, to, fill);
    for (let r = 0; r < rows; r++)
      for (let i = 0; i < to; i++) {
        const at = (first + r) * to + i;
        out[at] = (out[at] ?? 0) + (sum[r * stride + i] ?? 0);
      }
  }
}
