import type { NodeOf, Value } from "../../src/ir/graph.ts";
import type { Site } from "../../src/pass/edit.ts";
import { any, constant, node, op, shared } from "../../src/pass/pattern.ts";
import { rule, rulePass } from "../../src/pass/rewrite.ts";

/** Whether a constant is one number everywhere. */
const is = ({ attrs }: NodeOf<"constant">, value: number): boolean =>
  attrs.values.length > 0 && attrs.values.every((v) => v === value);

const isFloat = (x: Value): boolean => x.type.dtype === "f32";
const last = (x: Value): number => x.type.dims.length - 1;

/** A gain for each element of the last axis; axes of size 1 before it are dropped. */
function gainOf(gain: Value, x: Value, site: Site): Value | undefined {
  const width = x.type.dims.at(-1);
  const { dims } = gain.type;
  if (width === undefined || dims.at(-1) !== width || dims.slice(0, -1).some((d) => d !== 1))
    return undefined;
  return dims.length === 1 ? gain : site.make("reshape", [gain], { dims: [width] });
}

const meanSquare = shared(node("mean", op("reduceMean", op("mul", any("x"), any("x")))));

/** Finds RMSNorm in the pieces that exporters write. */
export const raiseNorms = rulePass(
  "raise-norms",
  "gain * x / sqrt(mean(x^2) + eps) ⟶ rmsNorm(x, gain)",
  [
    rule({
      name: "square",
      doc: "pow(x, 2) ⟶ mul(x, x)",
      match: op("pow", any("x"), constant("two")),
      when: ({ two }) => is(two, 2),
      rewrite: ({ x }, site) => site.make("mul", [x, x], {}),
    }),
    rule({
      name: "reciprocal-root",
      doc: "div(1, sqrt(x)) ⟶ rsqrt(x)",
      match: op("div", constant("one"), op("sqrt", any("x"))),
      when: ({ one, x }) => is(one, 1) && one.attrs.dims.length === 0 && isFloat(x),
      rewrite: ({ x }, site) => site.make("rsqrt", [x], {}),
    }),
    rule({
      name: "inverse-root-power",
      doc: "pow(x, -0.5) ⟶ rsqrt(x)",
      match: op("pow", any("x"), constant("c")),
      when: ({ c, x }) => is(c, -0.5) && isFloat(x),
      rewrite: ({ x }, site) => site.make("rsqrt", [x], {}),
    }),
    rule({
      name: "divide-by-root",
      doc: "div(x, sqrt(y)) ⟶ mul(x, rsqrt(y))",
      match: op("div", any("x"), op("sqrt", any("y"))),
      when: ({ x, y }) => isFloat(x) && isFloat(y),
      rewrite: ({ x, y }, site) => site.make("mul", [x, site.make("rsqrt", [y], {})], {}),
    }),
    rule({
      name: "rms-norm",
      doc: "mul(mul(x, rsqrt(mean(x*x) + eps)), gain) ⟶ rmsNorm(x, gain)",
      match: op("mul", op("mul", any("x"), op("rsqrt", op("add", meanSquare, constant("eps")))), any("gain")),
      when: ({ x, mean, eps }) => isFloat(x) && mean.attrs.axis === last(x) && eps.attrs.values.length === 1,
      rewrite: ({ x, gain, eps }, site) => {
        const vector = gainOf(gain, x, site);
        return vector && site.make("rmsNorm", [x, vector], { eps: eps.attrs.values[0] ?? 0 });
      },
    }),
  ],
  { tolerance: 1e-5 },
);
