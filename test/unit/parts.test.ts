/** Plans written in parts. */
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { emit, lowerModel, write, type CompileOptions } from "../../src/driver/compile.ts";
import { planQuantization, schemeFrom } from "../../src/driver/quantize.ts";
import { linkParts } from "../../src/plan/parts.ts";
import { readPlan } from "../../src/plan/read-plan.ts";

const room = mkdtempSync(join(tmpdir(), "moec-parts-"));
afterAll(() => rmSync(room, { recursive: true }));
const at = (name: string): string => join(room, name);

const scheme = schemeFrom("int8");
const settings: readonly (readonly [string, CompileOptions])[] = [
  ["in full precision", {}],
  ["in int8", scheme ? { quantization: planQuantization(scheme, "nearest") } : {}],
];

/** Every file of a plan by its name. */
function content(dir: string): ReadonlyMap<string, string> {
  const { manifest, file } = readPlan(dir);
  const names = readdirSync(join(dir, manifest.data));
  return new Map([
    ["plan.json", readFileSync(join(dir, "plan.json"), "latin1")],
    ...names.map((it): [string, string] => [it, readFileSync(file(it), "latin1")]),
  ]);
}

describe.each(settings)("a plan %s", (name, options) => {
  const emitted = emit(lowerModel("fixtures/moe-6m", options), options);

  test.each([1, 3, 9])("in %d parts is linked to the bytes that one compile writes", async (of) => {
    const whole = at(`${name}-whole`);
    await write(whole, emitted);
    const parts = Array.from({ length: of }, (_, i) => at(`${name}-${of}-${i + 1}`));
    for (const [i, dir] of parts.entries()) await write(dir, emitted, undefined, { part: i + 1, of });
    const linked = at(`${name}-${of}-linked`);
    await linkParts(linked, parts.toReversed());
    expect(content(linked)).toEqual(content(whole));
  });
});

describe("parts that make no plan are refused:", () => {
  const emitted = emit(lowerModel("fixtures/moe-6m", {}), {});
  const short = emit(lowerModel("fixtures/moe-6m", { context: 64 }), { context: 64 });
  const part = async (
    dir: string,
    of: typeof emitted,
    share: { readonly part: number; readonly of: number },
  ) => {
    await write(at(dir), of, undefined, share);
    return at(dir);
  };

  test("one missing, one twice, one of another compile, a folder that is none", async () => {
    const one = await part("one", emitted, { part: 1, of: 2 });
    const two = await part("two", emitted, { part: 2, of: 2 });
    const other = await part("other", short, { part: 2, of: 2 });
    await expect(linkParts(at("x"), [one])).rejects.toThrow("part 2 of 2 is there 0 times");
    await expect(linkParts(at("x"), [one, two, two])).rejects.toThrow("part 2 of 2 is there 2 times");
    await expect(linkParts(at("x"), [one, other])).rejects.toThrow("of another compile");
    await expect(linkParts(at("x"), [room])).rejects.toThrow("plan/not-a-part");
    expect(() => readPlan(at("x"))).toThrow("plan/not-a-plan");
  });
});
