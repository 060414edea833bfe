import { sameType } from "../../src/ir/types.ts";
import { any, node, op, shared } from "../../src/pass/pattern.ts";
import { rule, rulePass } from "../../src/pass/rewrite.ts";

/** Adds the residual and normalises in one walk over the row. */
export const fuseAddNorm = rulePass("fuse-add-norm", "rmsNorm(x + residual) ⟶ addRmsNorm, the sum kept", [
  rule({
    name: "add-norm",
    doc: "sum = add(x, residual); rmsNorm(sum, gain) ⟶ sum, out = addRmsNorm(x, residual, gain)",
    match: node(
      "norm",
      op("rmsNorm", shared(node("add", op("add", any("x"), any("residual")))), any("gain")),
    ),
    // A computed gain could itself depend on the sum.
    when: ({ x, residual, gain, add, norm }, site) =>
      x === add.operands[0] &&
      norm.operands[1] === gain &&
      sameType(x.type, residual.type) &&
      (site.definition(gain)?.operands ?? []).length === 0,
    rewrite: ({ x, residual, gain, add, norm }, site) => {
      const [sum, out] = site.multi("addRmsNorm", [x, residual, gain], { eps: norm.attrs.eps });
      const [oldSum, oldOut] = [add.results[0], norm.results[0]];
      return sum && out && oldSum && oldOut
        ? [
            [oldSum, sum],
            [oldOut, out],
          ]
        : undefined;
    },
  }),
]);
