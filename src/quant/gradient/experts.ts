import type { Value } from "../../ir/graph.ts";
import { transposed, type Gradients } from "./tape.ts";
import { addProduct } from "../products.ts";

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** silu(gate) * up back to gate and up. */
export function swigluBackward(
  gate: Float32Array,
  up: Float32Array,
  out: Float32Array,
  toGate: Float32Array,
  toUp: Float32Array,
): void {
  for (let i = 0; i < out.length; i++) {
    const [g, x] = [out[i] ?? 0, gate[i] ?? 0];
    const s = sigmoid(x);
    toUp[i] = (toUp[i] ?? 0) + g * x * s;
    toGate[i] = (toGate[i] ?? 0) + g * (up[i] ?? 0) * (s + x * s * (1 - s));
  }
}

/** The routed experts of a layer, each with the rows that chose it. */
export function expertsBackward(
  [x, indices, shares, gateUp, down]: readonly [Value, Value, Value, Value, Value],
  out: Float32Array,
  cx: Gradients,
): void {
  const { tape } = cx;
  const [count = 1, width = 1, inner = 1] = down.type.dims.map(Number);
  const chosen = tape.forward(indices);
  const share = tape.forward(shares);
  const k = chosen.length / tape.tokens;
  const input = tape.forward(x);
  const [wIn, wOut] = [tape.weight(gateUp), tape.weight(down)];
  const [toX, toShares] = [cx.into(x), cx.into(shares)];
  const slots: number[][] = Array.from({ length: count }, () => []);
  chosen.forEach((e, slot) => slots[e]?.push(slot));
  const answers = new Float32Array(chosen.length * width);
  const hidden = new Float32Array(chosen.length * 2 * inner);
  slots.forEach((own, e) => {
    if (own.length === 0) return;
    const tokens = own.map((slot) => Math.floor(slot / k));
    const rows = gather(input, tokens, width);
    const both = new Float32Array(own.length * 2 * inner);
    addProduct(
      tape.products,
      both,
      rows,
      transposed(wIn, e * 2 * inner * width, 2 * inner, width),
      width,
      2 * inner,
    );
    const [gate, up] = [half(both, 0, inner), half(both, 1, inner)];
    const h = gate.map((g, i) => g * sigmoid(g) * (up[i] ?? 0));
    const dy = gather(out, tokens, width);
    const back = new Float32Array(own.length * inner);
    addProduct(tape.products, back, dy, wOut, width, inner, e * width * inner);
    own.forEach((slot, r) => {
      let sum = 0;
      const s = share[slot] ?? 0;
      for (let i = 0; i < inner; i++) {
        sum += (back[r * inner + i] ?? 0) * (h[r * inner + i] ?? 0);
        back[r * inner + i] = (back[r * inner + i] ?? 0) * s;
      }
      toShares[slot] = (toShares[slot] ?? 0) + sum;
      for (let i = 0; i < width; i++) answers[slot * width + i] = s * (dy[r * width + i] ?? 0);
    });
    const [toGate, toUp] = [new Float32Array(back.length), new Float32Array(back.length)];
    swigluBackward(gate, up, back, toGate, toUp);
    const toBoth = new Float32Array(both.length);
    own.forEach((slot, r) => {
      toBoth.set(toGate.subarray(r * inner, (r + 1) * inner), r * 2 * inner);
      toBoth.set(toUp.subarray(r * inner, (r + 1) * inner), r * 2 * inner + inner);
      hidden.set(toBoth.subarray(r * 2 * inner, (r + 1) * 2 * inner), slot * 2 * inner);
    });
    const toRows = new Float32Array(rows.length);
    addProduct(tape.products, toRows, toBoth, wIn, 2 * inner, width, e * 2 * inner * width);
    tokens.forEach((t, r) => {
      for (let i = 0; i < width; i++)
        toX[t * width + i] = (toX[t * width + i] ?? 0) + (toRows[r * width + i] ?? 0);
    });
  });
  cx.tell({ weight: gateUp, rows: hidden, width: 2 * inner, of: chosen });
  cx.tell({ weight: down, rows: answers, width, of: chosen });
}

function gather(x: ArrayLike<number>, rows: readonly number[], width: number): Float32Array {
  const out = new Float32Array(rows.length * width);
  rows.forEach((row, r) => {
    for (let i = 0; i < width; i++) out[r * width + i] = x[row * width + i] ?? 0;
  });
  return out;
}

/** The first or second half of each row [2 inner]. */
function half(both: Float32Array, which: 0 | 1, inner: number): Float32Array {
  const out = new Float32Array(both.length / 2);
  for (let r = 0; r * inner < out.length; r++)
    out.set(both.subarray((2 * r + which) * inner, (2 * r + which + 1) * inner), r * inner);
  return out;
}
