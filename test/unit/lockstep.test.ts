/** Lanes that step together: no step without all that are at work, and nobody waits for one that is done. */
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { lockstep } from "../../src/runtime/lockstep.ts";

/** Runs lanes that each call so many times, thinking for so many turns before each; gives the calls of every step. */
async function stepsOf(lanes: readonly (readonly number[])[]) {
  const steps: (readonly (string | undefined)[])[] = [];
  const together = lockstep<string, string>(lanes.length, async (calls) => {
    steps.push(calls);
    await setImmediate();
    return calls.map((it) => `answer to ${it}`);
  });
  lanes.forEach((_, lane) => together.enter(lane));
  await Promise.all(
    lanes.map(async (turns, lane) => {
      for (const [i, turn] of turns.entries()) {
        for (let t = 0; t < turn; t++) await setImmediate();
        expect(await together.run(lane, `${lane}.${i}`)).toBe(`answer to ${lane}.${i}`);
      }
      together.leave(lane);
    }),
  );
  return steps;
}

test("the n-th step is the n-th call of every lane, until it has no more", async () => {
  const lanes = fc.array(fc.array(fc.nat(3), { maxLength: 5 }), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(lanes, async (turns) => {
      const most = Math.max(...turns.map((it) => it.length));
      const expected = Array.from({ length: most }, (_, i) =>
        turns.map((own, lane) => (i < own.length ? `${lane}.${i}` : undefined)),
      );
      expect(await stepsOf(turns)).toEqual(expected);
    }),
    { numRuns: 60 },
  );
});

test("a fault of one lane, or of a step, ends the calls of all", async () => {
  const two = lockstep<string, string>(2, (calls) => Promise.resolve(calls.map(() => "done")));
  two.enter(0);
  two.enter(1);
  const waiting = two.run(0, "a");
  two.stop(new Error("the other lane's"));
  await expect(waiting).rejects.toThrow("the other lane's");
  await expect(two.run(0, "b")).rejects.toThrow("the other lane's");
  const lost = lockstep<string, string>(2, () => Promise.reject(new Error("a rank is lost")));
  const calls = [0, 1].map((lane) => lost.run(lane, "a"));
  for (const it of calls) await expect(it).rejects.toThrow("a rank is lost");
});
