/** No plan, script or forecast is for longer sequences than its model knows positions. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { contextOf } from "../../src/driver/context.ts";
import { demandOf } from "../../src/driver/forecast/demand.ts";
import { referencePlan } from "../../src/driver/reference.ts";
import { CompileError } from "../../src/support/diagnostics.ts";

const length = fc.integer({ min: 1, max: 20_000 });
const asked = fc.option(length, { nil: undefined });

/** What comes out, or undefined where it is refused. */
function unlessRefused<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof CompileError && error.diagnostics[0]?.code === "usage/value") return undefined;
    throw error;
  }
}

test("a context is what is asked for, and refused exactly where the model knows fewer positions", () =>
  fc.assert(
    fc.property(asked, length, length, (asked, usual, most) => {
      const expected = asked === undefined ? Math.min(usual, most) : asked <= most ? asked : undefined;
      expect(unlessRefused(() => contextOf({ asked, usual, most }))).toBe(expected);
    }),
  ));

describe("requests of a forecast", () => {
  const most = fc.integer({ min: 2, max: 20_000 });
  test("have a prompt and an answer that fit a sequence together, and the lengths that are asked for", () =>
    fc.assert(
      fc.property(asked, asked, most, (promptLength, outputLength, most) => {
        const found = unlessRefused(() => demandOf({ promptLength, outputLength }, most));
        expect(found === undefined).toBe((promptLength ?? 1) + (outputLength ?? 1) > most);
        if (!found) return;
        expect(Math.min(found.promptLength, found.outputLength)).toBeGreaterThanOrEqual(1);
        expect(found.promptLength + found.outputLength).toBeLessThanOrEqual(most);
        expect(found).toMatchObject({
          ...(promptLength !== undefined && { promptLength }),
          ...(outputLength !== undefined && { outputLength }),
        });
      }),
    ));
  test("are of 4096 and 1024 tokens where the model has room for them", () => {
    const nothing = { promptLength: undefined, outputLength: undefined };
    expect(demandOf(nothing, 163_840)).toEqual({ promptLength: 4096, outputLength: 1024 });
    expect(demandOf(nothing, 5120)).toEqual({ promptLength: 4096, outputLength: 1024 });
  });
});

test("a model that a plan of longer sequences is compared with is taken for as many as it knows", async () => {
  const { plan, remove } = await referencePlan("fixtures/tiny/v3", 4096);
  try {
    expect(plan.manifest.context).toBe(512);
  } finally {
    remove();
  }
});
