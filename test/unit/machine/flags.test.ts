/** Flags are single bits: each is surely waited for before it is set anew, whichever engine is late. */
import { describe, expect, test } from "vitest";
import { insertFlags } from "../../../src/machine/schedule/flags.ts";
import { parseKernel } from "../../../src/machine/schedule/parser.ts";
import { printKernel } from "../../../src/machine/schedule/printer.ts";
import { time } from "../../../src/machine/simulate/time.ts";
import { verifyKernel } from "../../../src/machine/verify/verify.ts";
import { birenBr100 } from "../../../targets/biren/profiles/br100.ts";
import { scheduleCases } from "../../support/schedules/cases.ts";
import { lostSet } from "../../support/schedules/starved.ts";

/** Rows of x, each stored so many turns after it came. */
const late = (turns: number, copies: number): string => `kernel late for biren-br100
size S
tensor x: f32[S, 64] in
tensor y: f32[S, 64] out
on spc {
  for r in group .. S + ${turns} * groups step groups {
    buffer a: tv f32[1, 64] x${copies}
    copy x[r : min(1, max(0, S - r)), 0 : 64] -> a[0 : min(1, max(0, S - r)), 0 : 64]
    let before = r - ${turns} * groups
    let some = min(1, max(0, before + 1))
    copy a#${turns}[0 : some, 0 : 64] -> y[before : some, 0 : 64]
  }
}
`;

const flagsOf = (text: string): readonly string[] => text.match(/(set|wait) .*/g) ?? [];
const sizes = new Map([["S", 200]]);

describe("a buffer that is looked back at", () => {
  test("has its flags take as many numbers as may be pending, the wait being for an earlier turn's", () => {
    const text = printKernel(insertFlags(parseKernel(late(2, 3)), birenBr100));
    expect(flagsOf(text)).toEqual([
      "set load -> store #0 x3 back 2",
      "set load -> store #0 x3 back 1",
      "set store -> load #0 x3 back 1",
      "wait store -> load #0 x3 back 1",
      "set load -> store #0 x3",
      "wait load -> store #0 x3 back 2",
      "set store -> load #0 x3",
      "wait load -> store #0 x3 back 2",
      "wait load -> store #0 x3 back 1",
      "wait store -> load #0 x3 back 1",
    ]);
    expect(printKernel(parseKernel(text))).toBe(text);
  });

  test.each([1, 2, 3].flatMap((turns) => [1, 2, 3].map((more) => [turns, turns + more] as const)))(
    "%d turns in %d copies is legal, and takes the time that walking through every turn gives",
    (turns, copies) => {
      const kernel = insertFlags(parseKernel(late(turns, copies)), birenBr100);
      expect(verifyKernel(kernel, birenBr100, [{ sizes: new Map([["S", 1]]) }, { sizes }])).toEqual([]);
      expect(lostSet(kernel, birenBr100, { sizes })).toBeUndefined();
      for (const rows of [3000, 3001, 3002]) {
        const launch = { sizes: new Map([["S", rows]]) };
        const [quick, whole] = [time(kernel, birenBr100, launch), time(kernel, birenBr100, launch, () => {})];
        expect(Math.abs(quick.cycles / whole.cycles - 1)).toBeLessThan(0.01);
      }
    },
  );

  test("in a flag of fewer numbers is refused, and both instructions are named", () => {
    const text = printKernel(insertFlags(parseKernel(late(1, 2)), birenBr100));
    const fewer = text.replaceAll(/(load -> store) #0 x2( back 1)?/g, "$1 #0").split("\n");
    // The one number is set behind its wait, as it would be set while it is set else.
    const set = fewer.lastIndexOf("    set load -> store #0");
    const wait = fewer.lastIndexOf("    wait load -> store #0");
    [fewer[set], fewer[wait]] = [fewer[wait] ?? "", fewer[set] ?? ""];
    const kernel = parseKernel(fewer.join("\n"));
    expect(lostSet(kernel, birenBr100, { sizes })).toBe("spc.0 load store 0");
    expect(verifyKernel(kernel, birenBr100, [{ sizes }]).map((it) => it.message)).toContain(
      "late: `set load -> store #0` may set flag 0 again before `wait load -> store #0` has taken it",
    );
  });
});

test("a flag looks back by no more turns than it has numbers", () => {
  const text = printKernel(insertFlags(parseKernel(late(1, 2)), birenBr100));
  expect(() => parseKernel(text.replace("x2 back 1", "x2 back 3"))).toThrow("expected 1 to 2 turns");
  expect(() => parseKernel(text.replace("x2 back 1", "x2 back 0"))).toThrow("expected 1 to 2 turns");
});

test.each(scheduleCases.map((it) => [it.name, it] as const))(
  "whichever engine is late, %s sets no flag while it is set",
  (_, { kernel, profile, trials }) => {
    for (const trial of trials) expect(lostSet(kernel, profile, trial)).toBeUndefined();
  },
);
