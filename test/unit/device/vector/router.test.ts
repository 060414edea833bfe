/** The choice of experts on data. */
import { describe, expect, test } from "vitest";
import { floats } from "../../../../src/interp/tensor.ts";
import { router } from "../../../../targets/device/kernels/vector/router.ts";
import {
  farthest,
  faultsOf,
  machines,
  randomFloats,
  reference,
  runKernel,
} from "../../../support/kernels/run-kernel.ts";

const v3 = { topK: 8, scoring: "sigmoid", groups: 8, topGroups: 4, groupScore: "top2", normalize: true, scale: 2.5 } as const; // prettier-ignore
const v2 = { topK: 6, scoring: "softmax", groups: 8, topGroups: 3, groupScore: "max", normalize: false, scale: 16 } as const; // prettier-ignore
const lite = { topK: 2, scoring: "softmax", groups: 1, topGroups: 1, groupScore: "max", normalize: true, scale: 1 } as const; // prettier-ignore

describe.each(machines)("on %s", (_, profile) => {
  test.each([
    ["V3", v3, 256, true],
    ["V2", v2, 160, false],
    ["eight experts", lite, 8, false],
    ["groups of four", { ...v3, groups: 4, topGroups: 2, topK: 3 }, 16, true],
    ["groups of one", { ...v3, groups: 4, topGroups: 2, topK: 2 }, 4, true],
  ] as const)("chooses as the interpreter: %s", (_name, attrs, experts, hasBias) => {
    const s = 51;
    const logits = randomFloats("l", s * experts, 2);
    logits.fill(0.5, 0, experts); // equals, of which the first wins
    const bias = randomFloats("b", experts, 0.1);
    const kernel = router(profile, { ...attrs, logits: "f32", experts, bias: hasBias });
    expect(faultsOf(kernel, profile, [{ S: 1 }, { S: 3000 }])).toEqual([]);
    const found = runKernel(kernel, profile, { S: s }, { logits, bias });
    const operands = [floats([s, experts], logits), ...(hasBias ? [floats([experts], bias)] : [])];
    const [indices, weights] = reference("router", operands, attrs, [s, attrs.topK], [s, attrs.topK]);
    expect([...(found.indices ?? [])]).toEqual([...(indices?.data ?? [])]);
    expect(farthest(found.weights ?? [], weights?.data ?? [])).toBeLessThan(1e-5);
  });
});
