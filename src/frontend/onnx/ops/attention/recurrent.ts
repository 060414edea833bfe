import type { Value } from "../../../../ir/graph.ts";
import {
  add,
  broadcast,
  dimOf,
  fixedDim,
  floatOf,
  intOf,
  mul,
  scalar,
  slice,
  sub,
  textOf,
  to,
  transpose,
  unsupported,
  type LoweringContext,
  type LoweringTable,
} from "../../lowering/context.ts";
import { joinHeads, shareHeads, splitHeads } from "./attention.ts";
import { matmul } from "../math/linear.ts";

/** Something for each head and step: [B, T, H * n] as [B, H, T, n] in float32. */
const perHead = (cx: LoweringContext, x: Value, heads: number): Value =>
  to(cx, splitHeads(cx, x, heads), "f32");

/**
 * Linear attention with a state of [keys, values] a head that decays, is corrected and grows with every step: the recurrent form
 * of linear, gated, delta and gated delta rules (Yang et al. 2024). Steps are written out one by one.
 */
function linearAttention(cx: LoweringContext): readonly Value[] {
  const [heads, groups] = [intOf(cx, "q_num_heads", 1), intOf(cx, "kv_num_heads", 1)];
  const rule = textOf(cx, "update_rule", "gated_delta");
  const [gated, delta] = [rule.startsWith("gated"), rule.endsWith("delta")];
  const { dtype } = cx.input(0).type;
  const [q, k, v] = [
    perHead(cx, cx.input(0), heads),
    perHead(cx, cx.input(1), groups),
    perHead(cx, cx.input(2), groups),
  ];
  const [batch, steps] = [dimOf(q, 0), fixedDim(dimOf(q, 2), "the sequence")];
  const [keys, values] = [dimOf(k, 3), dimOf(v, 3)];
  const past = cx.optional(3);
  const decay = cx.optional(4);
  const beta = cx.optional(5);
  if ((gated && !decay) || (delta && !beta)) return unsupported(`rule ${rule} lacks its decay or its beta`);
  const decays = decay && perHead(cx, decay, groups);
  const betas = beta && perHead(cx, beta, fixedDim(dimOf(beta, 2), "beta"));
  const scale = floatOf(cx, "scale", 0) || 1 / Math.sqrt(fixedDim(keys, "the head size"));
  /** Step t of [B, H, T, n] as a column [B, H, n, 1] or a row [B, H, 1, n]. */
  const row = (x: Value, t: number): Value => slice(cx, x, 2, t, t + 1);
  const column = (x: Value, t: number): Value => transpose(cx, row(x, t), [0, 1, 3, 2]);
  let state = past ? to(cx, past, "f32") : broadcast(cx, scalar(cx, "f32", 0), [batch, groups, keys, values]);
  const outs: Value[] = [];
  for (let t = 0; t < steps; t++) {
    if (gated && decays) state = mul(cx, state, cx.op("exp", [column(decays, t)], {}));
    let value = row(v, t);
    if (delta && betas) value = mul(cx, row(betas, t), sub(cx, value, matmul(cx, row(k, t), state)));
    state = add(cx, state, mul(cx, column(k, t), value));
    outs.push(mul(cx, matmul(cx, row(q, t), shareHeads(cx, state, heads)), scale));
  }
  const out = joinHeads(cx, cx.op("concat", outs, { axis: 2 }));
  return [to(cx, out, dtype), to(cx, state, past?.type.dtype ?? dtype)];
}

export const recurrent: LoweringTable = {
  LinearAttention: linearAttention,
};
