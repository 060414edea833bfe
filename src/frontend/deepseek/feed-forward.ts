import type { Value } from "../../ir/graph.ts";
import type { Mixture, ModelConfig } from "./config.ts";
import type { LayerScope } from "./layer-scope.ts";

/** A gated MLP: down(silu(gate x) * up x). */
function gatedMlp(
  l: LayerScope,
  x: Value,
  prefix: string,
  inner: number,
  width: number,
  bias: boolean,
  why: string,
): Value {
  const linear = (input: Value, name: string, rows: number, cols: number): Value => {
    const full = `${prefix}.${name}`;
    const w = l.weight(`${full}.weight`, [rows, cols], why);
    const operands = bias ? [input, w, l.weight(`${full}.bias`, [rows], "mlp_bias is set")] : [input, w];
    return l.b.op("linear", operands, {}, [l.name(full)]);
  };
  const gate = l.b.op("silu", [linear(x, "gate_proj", inner, width)], {}, [l.name(prefix)]);
  const hidden = l.b.op("mul", [gate, linear(x, "up_proj", inner, width)], {}, [l.name(prefix)]);
  return linear(hidden, "down_proj", width, inner);
}

/** The routed experts, one operator each, added up; a pass groups them. */
function routedExperts(l: LayerScope, m: Mixture, width: number, x: Value): Value {
  const { b } = l;
  const gate = l.weight("mlp.gate.weight", [m.experts, width], `one row for each of ${m.experts} experts`);
  const logits = b.op("linear", [x, gate], {}, [l.name("mlp.gate")]);
  const { bias: biased, ...attrs } = m.routing;
  const bias = "mlp.gate.e_score_correction_bias";
  const operands = biased ? [logits, l.weight(bias, [m.experts], "the router's selection bias")] : [logits];
  const [indices, weights] = b.multi("router", operands, attrs, [l.name("mlp.gate")]);
  if (!indices || !weights) throw new Error("router has two results");
  const project = (name: string, shape: readonly number[]) =>
    l.desk.alike(
      Array.from({ length: m.experts }, (_, e) =>
        l.recipe(`mlp.experts.${e}.${name}.weight`, shape, `expert ${e} of ${m.experts}`),
      ),
    );
  const gates = project("gate_proj", [m.inner, width]);
  const ups = project("up_proj", [m.inner, width]);
  const downs = project("down_proj", [width, m.inner]);
  let sum: Value | undefined;
  for (let e = 0; e < m.experts; e++) {
    const parts = [gates[e], ups[e], downs[e]].map((r) => {
      if (!r) throw new Error(`expert ${e} has no weights`);
      return l.constant(r, `mlp.experts.${e}`);
    });
    const share = b.op("expert", [x, indices, weights, ...parts], { index: e }, [l.name(`mlp.experts.${e}`)]);
    sum = sum ? b.op("add", [sum, share], {}, [l.name("mlp.experts")]) : share;
  }
  if (!sum) throw new Error("a mixture has experts");
  return sum;
}

/** The feed-forward half of a layer: dense, or routed experts beside the shared ones. */
export function feedForward(l: LayerScope, c: ModelConfig, x: Value): Value {
  const m = c.mixture;
  if (!m?.isSparse[l.index])
    return gatedMlp(l, x, "mlp", c.inner, c.hidden, c.mlpBias, `the dense layer's inner width is ${c.inner}`);
  const routed = routedExperts(l, m, c.hidden, x);
  if (m.shared === 0) return routed;
  const why = `${m.shared} shared experts as one MLP of ${m.shared * m.inner}`;
  const shared = gatedMlp(l, x, "mlp.shared_experts", m.shared * m.inner, c.hidden, false, why);
  return l.b.op("add", [routed, shared], {}, [l.name("mlp")]);
}
