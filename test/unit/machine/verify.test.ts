/** The verifier of schedules: what it lets through is right, and what is broken it names. */
import { describe, expect, test } from "vitest";
import { verifyKernel } from "../../../src/machine/verify/verify.ts";
import { createRandom } from "../../../src/support/random.ts";
import { faultClasses } from "../../support/schedules/mutate.ts";
import { scheduleCases } from "../../support/schedules/cases.ts";

/** Any other must do as well. */
const seed = 20;
/** Of each class; all classes together are some 400. */
const rounds = 60;

describe("the verifier", () => {
  test.each(scheduleCases.map((it) => [it.name, it] as const))("finds no fault in %s", (_, it) => {
    expect(verifyKernel(it.kernel, it.profile, it.trials)).toEqual([]);
  });

  test.each(Object.entries(faultClasses))(
    `names %s, ${rounds} put into correct schedules, but for one in fifty`,
    (_, faults) => {
      const { below: pick } = createRandom(seed);
      const missed: string[] = [];
      for (let i = 0, done = 0; done < rounds; i++) {
        const fault = faults[i % faults.length];
        const of = scheduleCases[pick(scheduleCases.length)];
        const broken = of && fault?.put(of.kernel, pick, of.profile);
        if (!fault || !broken) continue;
        done++;
        const found = verifyKernel(broken, of.profile, of.trials).map((it) => it.code);
        if (!found.some((code) => fault.codes.includes(code))) missed.push(`${of.name}, ${fault.name}: ${found.join() || "nothing"}`); // prettier-ignore
      }
      expect(missed.length, missed.join("\n")).toBeLessThanOrEqual(rounds / 50);
    },
  );
});
