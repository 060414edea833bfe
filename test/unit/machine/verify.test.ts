/** The verifier of schedules: what it lets through is right, and what is broken it names. */
import { describe, expect, test } from "vitest";
import { verifyKernel } from "../../../src/machine/verify/verify.ts";
import { missedFaults } from "../../support/schedules/missed.ts";
import { faultClasses } from "../../support/schedules/mutate.ts";
import { scheduleCases } from "../../support/schedules/cases.ts";

/** Any others must do as well: `npm run check:verifier` tries a hundred. */
const seeds = [20, 21, 22, 23, 24];
/** Of each class and seed. */
const rounds = 60;

describe("the verifier", () => {
  test.each(scheduleCases.map((it) => [it.name, it] as const))("finds no fault in %s", (_, it) => {
    expect(verifyKernel(it.kernel, it.profile, it.trials)).toEqual([]);
  });

  test.each(Object.entries(faultClasses))(
    `names %s, ${rounds} put into correct schedules for each of ${seeds.length} seeds, but for one in fifty`,
    (_, faults) => {
      for (const seed of seeds) {
        const missed = missedFaults(faults, seed, rounds);
        expect(missed.length, missed.join("\n")).toBeLessThanOrEqual(rounds / 50);
      }
    },
  );
});
