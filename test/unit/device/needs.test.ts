/** What kernels need of a machine: a profile that has no more than that is compiled for, and one that has less is told of which field. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { emit, lowerModel, type CompileOptions } from "../../../src/driver/compile.ts";
import { planQuantization, schemeFrom } from "../../../src/driver/quantize.ts";
import { parseProfile, type Profile } from "../../../src/machine/profile.ts";
import { formatDiagnostic } from "../../../src/support/diagnostics.ts";
import { ascend910b3 } from "../../../targets/ascend/profiles/910.ts";
import { birenBr100 } from "../../../targets/biren/profiles/br100.ts";
import { unmetNeeds } from "../../../targets/device/needs.ts";
import { profiles } from "../../../targets/index.ts";
import { withValue } from "../../support/json-edit.ts";
import { root } from "../../support/moec.ts";

/** A profile in which values, by their pointers, are others. */
const changed = (profile: Profile, values: Readonly<Record<string, unknown>>): Profile =>
  parseProfile(JSON.stringify(Object.entries(values).reduce<unknown>((of, [at, value]) => withValue(of, at, value), profile)), "chip.json"); // prettier-ignore

const told = (profile: Profile): readonly string[] => unmetNeeds(profile, "chip.json").map(formatDiagnostic);

test("every device that moec knows has what kernels need", () => {
  expect(profiles.filter((it) => it.name !== "cpu").flatMap(told)).toEqual([]);
});

/** Compile a model for a device, all kernels verified, and write nothing. */
function compileFor(profile: Profile, model: string, quant: string): void {
  const scheme = schemeFrom(quant);
  const settings: CompileOptions = {
    context: 64,
    ...(scheme && { quantization: planQuantization(scheme, "nearest") }),
    device: { profile, tiles: new Map(), trials: 1, verified: new Set() },
  };
  emit(lowerModel(join(root, model), settings), settings);
}

describe("kernels are legal where there is no more than they need", () => {
  const least = {
    "ascend-910b3": changed(ascend910b3, {
      "/flags/perPair/value": 8,
      "/flags/cross/count/value": 10,
      "/flags/cross/counterMax/value": 6,
    }),
    "biren-br100": changed(birenBr100, { "/flags/perPair/value": 6 }),
  };
  const cases = Object.keys(least).flatMap((name) =>
    ["none", "w8a8", "w4a8", "int4-g32"].map((quant) => [name, quant] as const),
  );
  test.for(cases)("of %s in %s", ([name, quant]) => {
    const profile = least[name as keyof typeof least]; // one of its own keys
    expect(told(profile)).toEqual([]);
    for (const model of ["fixtures/moe-6m", "fixtures/tiny/v2"])
      expect(() => compileFor(profile, model, quant)).not.toThrow();
  });
});

test.each([
  ["where matrices lie", ["/spaces/1", "/spaces/2", "/spaces/3", "/spaces/4"]],
  ["everywhere", ["/spaces/0", "/spaces/1", "/spaces/2", "/spaces/3", "/spaces/4", "/spaces/5"]],
])("a machine that knows no fractals %s is compiled for", (_, spaces) => {
  const plain = spaces.flatMap((it) => [[`${it}/layouts`, ["nd"]], [`${it}/fractal`, undefined]]); // prettier-ignore
  const profile = changed(ascend910b3, Object.fromEntries(plain));
  for (const quant of ["none", "w8a8", "w4a8"])
    expect(() => compileFor(profile, "fixtures/tiny/v3", quant)).not.toThrow();
});

test.each([
  [
    "/flags/reserved/value",
    3,
    "flags.perPair.value of the profile gives 5; kernels need 6 flags between two engines",
  ],
  [
    "/flags/cross",
    undefined,
    "flags.cross of the profile gives 0; kernels need 10 signals between the cores",
  ],
  ["/flags/cross/count/value", 9, "flags.cross.count.value of the profile gives 9; kernels need 10 signals"],
  ["/flags/cross/counterMax/value", 5, "flags.cross.counterMax.value of the profile gives 5; kernels need 6"],
  ["/cores/0/perGroup/value", 2, "cores[0].perGroup.value of the profile is 2; kernels need 1 cube core"],
])("%s set to %j is told by its name", (pointer, value, said) => {
  const [fault = "", ...others] = told(changed(ascend910b3, { [pointer]: value }));
  expect(fault).toMatch(/^error\[profile\/(too-little|several)\]: /);
  expect(fault).toContain(said);
  expect(fault).toContain("--> chip.json at /");
  expect(others).toEqual([]);
});
