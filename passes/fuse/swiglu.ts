import { sameType } from "../../src/ir/types.ts";
import { any, op } from "../../src/pass/pattern.ts";
import { rule, rulePass } from "../../src/pass/rewrite.ts";

/** Finds the gated activation however the exporter spelt it. */
export const fuseSwiglu = rulePass(
  "fuse-swiglu",
  "x * sigmoid(x) ⟶ silu(x), silu(gate) * up ⟶ swiglu(gate, up)",
  [
    rule({
      name: "sigmoid-to-silu",
      doc: "mul(x, sigmoid(x)) ⟶ silu(x)",
      match: op("mul", any("x"), op("sigmoid", any("x"))),
      rewrite: ({ x }, site) => site.make("silu", [x], {}),
    }),
    rule({
      name: "silu-to-swiglu",
      doc: "mul(silu(gate), up) ⟶ swiglu(gate, up)",
      match: op("mul", op("silu", any("gate")), any("up")),
      when: ({ gate, up }) => sameType(gate.type, up.type),
      rewrite: ({ gate, up }, site) => site.make("swiglu", [gate, up], {}),
    }),
  ],
  { tolerance: 1e-5 },
);
