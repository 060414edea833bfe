import type { Value } from "../../src/ir/graph.ts";
import { isOp } from "../../src/ir/graph.ts";
import { edit, type Site } from "../../src/pass/edit.ts";
import { counter, type Pass } from "../../src/pass/pass.ts";
import { quantizedParts, type QuantizedRecipe } from "../../src/tensor/quantized.ts";

const rules = ["integer-linear", "integer-experts"] as const;

/** The symmetric codes and scales of a weight, or undefined for any other value. */
function symmetricParts(site: Site, value: Value | undefined): QuantizedRecipe | undefined {
  const maker = value && site.definition(value);
  const parts = isOp(maker, "weight") ? quantizedParts(maker.attrs.recipe) : undefined;
  return parts?.zeros ? undefined : parts;
}

const weightsOf = (site: Site, { codes, scales }: QuantizedRecipe): readonly Value[] =>
  [codes, scales].map((recipe) => site.make("weight", [], { recipe }));

/** x as it meets the codes of a weight: where those are of a rotated weight, x is rotated too. */
const rotated = (site: Site, x: Value, { rotation }: QuantizedRecipe): Value =>
  rotation === 1 ? x : site.make("hadamard", [x], { block: rotation });

/** Products with symmetric integer weights take their activations as integers too, so that only integers are multiplied. */
export const quantizeActivations: Pass = {
  name: "quantize-activations",
  summary: "linear, experts over codes behind scales ⟶ integerLinear, integerExperts",
  scope: "all",
  tolerance: 0.1,
  rules,
  run: (func, enabled = () => true) => {
    const editor = edit(func);
    const { site } = editor;
    const { counts, add } = counter();
    editor.walk((node) => {
      const [old] = node.results;
      const [x, indices, weights] = node.operands;
      if (!old || !x) return;
      if (isOp(node, "linear") && enabled("integer-linear")) {
        const parts = symmetricParts(site, node.operands[1]);
        if (!parts) return;
        const operands = [rotated(site, x, parts), ...weightsOf(site, parts), ...node.operands.slice(2)];
        editor.replace(
          node,
          [node],
          [[old, site.make("integerLinear", operands, { group: parts.group, bits: parts.bits })]],
        );
        add("integer-linear");
      }
      if (isOp(node, "experts") && enabled("integer-experts") && indices && weights) {
        const [gateUp, down] = [
          symmetricParts(site, node.operands[3]),
          symmetricParts(site, node.operands[4]),
        ];
        if (!gateUp || !down) return;
        const input = rotated(site, x, gateUp);
        const operands = [input, indices, weights, ...weightsOf(site, gateUp), ...weightsOf(site, down)];
        const attrs = {
          gateUpGroup: gateUp.group,
          gateUpBits: gateUp.bits,
          downGroup: down.group,
          downBits: down.bits,
          downRotation: down.rotation,
        };
        editor.replace(node, [node], [[old, site.make("integerExperts", operands, attrs)]]);
        add("integer-experts");
      }
    });
    return { func: editor.finish(), counts };
  },
};
