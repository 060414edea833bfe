/** Cores that are a turn apart whenever they wait for one another are timed as if every turn were walked through. */
import { expect, test } from "vitest";
import { insertFlags } from "../../../src/machine/schedule/flags.ts";
import { parseKernel } from "../../../src/machine/schedule/parser.ts";
import { time } from "../../../src/machine/simulate/time.ts";
import { ascend910b3 } from "../../../targets/ascend/profiles/910.ts";

/** The vector cores take in each turn what the matrix unit's core gives in its next, which is no more than three ahead. */
const text = `kernel apart for ascend-910b3
size S
tensor a: bf16[S, 256] in
tensor x: f32[S, 64] in
tensor y: f32[S, 64] out
on cube {
  for t in 0 .. S step 64 {
    buffer a1: l1 bf16[64, 256] x2
    await vector -> mte2 #1
    copy a[t : 64, 0 : 256] -> a1[0 : 64, 0 : 256]
    signal mte2 -> vector #0
  }
}
on vector {
  signal mte3 -> cube #1
  signal mte3 -> cube #1
  signal mte3 -> cube #1
  await cube -> mte2 #0
  for t in 64 .. S step 64 {
    buffer x0: ub f32[64, 64] x2
    buffer y0: ub f32[64, 64] x2
    await cube -> mte2 #0
    copy x[t : 64, 0 : 64] -> x0[0 : 64, 0 : 64]
    vector exp x0[0 : 64, 0 : 64] -> y0[0 : 64, 0 : 64]
    copy y0[0 : 64, 0 : 64] -> y[t : 64, 0 : 64]
    signal mte3 -> cube #1
  }
}
`;

test("cores that are a turn apart", () => {
  const kernel = insertFlags(parseKernel(text), ascend910b3);
  const launch = { sizes: new Map([["S", 64 * 300]]) };
  const [quick, whole] = [time(kernel, ascend910b3, launch), time(kernel, ascend910b3, launch, () => {})];
  expect(quick.walked).toBeLessThan(whole.walked / 2);
  expect(quick.cycles / whole.cycles).toBeCloseTo(1, 3);
  expect(quick.memoryBytes / whole.memoryBytes).toBeCloseTo(1, 6);
});
