/** A profile of the user's own that is wrong is refused with the name of the field. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { deviceOf, profileOf } from "../../src/driver/target.ts";
import { parseProfile } from "../../src/machine/profile.ts";
import { CompileError, formatDiagnostic } from "../../src/support/diagnostics.ts";
import { ascend910b3 } from "../../targets/ascend/profiles/910.ts";
import { withValue } from "../support/json-edit.ts";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();

function faultsIn(text: string): readonly string[] {
  try {
    parseProfile(text, "chip.json");
    return [];
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    return error.diagnostics.map(formatDiagnostic);
  }
}

/** Where the profile is changed to what, the code, where the fault is seen, and what is said of it. */
const wrongs: readonly (readonly [
  pointer: string,
  value: unknown,
  code: string,
  at: string,
  said: string,
])[] = [
  ["/clock", undefined, "profile/field", "/clock", "clock of the profile is wrong: it is missing"],
  ["/clock", null, "profile/field", "/clock", "expected Object, found null"],
  ["/clock/value", "1800", "profile/field", "/clock/value", 'expected number, found "1800"'],
  ["/clock/value", -3, "profile/field", "/clock/value", "must be above 0, found -3"],
  ["/name", "x".repeat(99), "profile/field", "/name", "at most 64 letters, found 99"],
  ["/name", "../x", "profile/field", "/name", 'small letters, digits and dashes, found "../x"'],
  [
    "/memory/capacity",
    { value: 1024, source: "a data sheet", confidence: "vendor" },
    "profile/field",
    "/memory/capacity/value",
    "must be the 68719476736 of spaces[0].bytes, found 1024",
  ],
  ["/clock/confidence", "sure", "profile/field", "/clock/confidence", '"vendor" | "measured"'],
  ["/groups/value", 2.5, "profile/field", "/groups/value", "must be whole"],
  [
    "/spaces/0/bytes/value",
    -1,
    "profile/field",
    "/spaces/0/bytes/value",
    "spaces[0].bytes.value of the profile",
  ],
  ["/spaces/1/layouts/0", "zz9", "profile/field", "/spaces/1/layouts/0", '"nd" | "nz" | "zz" | "zn"'],
  ["/memory/sustained/value", 1.2, "profile/field", "/memory/sustained/value", "must be at most 1"],
  ["/matrix/rates/0/a", "fp16", "profile/field", "/matrix/rates/0/a", "matrix.rates[0].a of the profile"],
  [
    "/spaces/1/reserved/value",
    1 << 30,
    "profile/field",
    "/spaces/1/reserved/value",
    "spaces[1].reserved.value of the profile is wrong: must be less than the 524288",
  ],
  [
    "/flags/reserved/value",
    9,
    "profile/field",
    "/flags/reserved/value",
    "must be less than the 8 of flags.perPair, found 9",
  ],
  ["/colour", "blue", "profile/field", "/colour", "colour of the profile is wrong: there is no such field"],
  ["/energy/watts/source", "", "profile/field", "/energy/watts/source", "a figure needs its source"],
  ["/paths/0/engine", "mte4", "profile/name", "/paths/0/engine", "did you mean mte2?"],
  ["/paths/1/to", "l7x", "profile/name", "/paths/1/to", "names the space l7x, which there is not"],
  [
    "/spaces/1/core",
    undefined,
    "profile/name",
    "/spaces/1/core",
    "names the core (none), which there is not",
  ],
  [
    "/engines/0/core",
    "vector",
    "profile/twice",
    "/engines/5",
    "engines of the profile has vector.mte2 twice",
  ],
  ["/spaces/5/name", "l1", "profile/twice", "/spaces/5", "spaces of the profile has l1 twice"],
  ["/paths/1/to", "l0b", "profile/unreachable", "/spaces/2", "nothing comes to the space l0a"],
];

test.each(wrongs)("%s set to %j is %s at %s", (pointer, value, code, at, said) => {
  const faults = faultsIn(JSON.stringify(withValue(ascend910b3, pointer, value)));
  const here = faults.filter(
    (it) => it.startsWith(`error[${code}]`) && it.includes(`--> chip.json at ${at}`),
  );
  expect(here, faults.join("\n")).toHaveLength(1);
  expect(here[0]).toContain(said);
});

test("every fault is told at once", () => {
  const twice = withValue(withValue(ascend910b3, "/clock/value", 0), "/launch/value", -1);
  expect(faultsIn(JSON.stringify(twice))).toHaveLength(2);
});

test("what is no JSON is told as such", () => {
  expect(faultsIn("{ name: 'chip' }")).toEqual([
    expect.stringMatching(/^error\[profile\/json\]: the profile is not JSON: .*\n {2}--> chip\.json\n/),
  ]);
});

test("a number too large for a float is refused", () => {
  const text = JSON.stringify(ascend910b3).replace('"clock":{"value":1800', '"clock":{"value":1e999');
  expect(faultsIn(text)[0]).toContain("clock.value of the profile is wrong: must be finite, found Infinity");
});

test("what is no object at all is told as such", () => {
  expect(faultsIn("null")[0]).toContain(
    "error[profile/field]: the profile is wrong: expected Object, found null",
  );
});

test.each([
  ['"clock":{', '"clock":{"value":1,', "/clock/value"],
  ['"name":"l1"', '"name":"l1","name":"l1"', "/spaces/1/name"],
])("%s is not given twice", (once, twice, pointer) => {
  const [fault = "", ...others] = faultsIn(JSON.stringify(ascend910b3).replace(once, twice));
  expect(fault).toContain("it is given twice");
  expect(fault).toContain(`--> chip.json at ${pointer}`);
  expect(others).toEqual([]);
});

test.each([
  ["what is larger than any profile", Buffer.alloc((16 << 20) + 1, " "), "it has more than 16 MiB"],
  ["what is not UTF-8", Buffer.from([0x7b, 0xff, 0x7d]), "it is not UTF-8"],
])("%s is not read as one", (_, bytes, why) => {
  const file = join(folder, "odd.json");
  writeFileSync(file, bytes);
  expect(() => profileOf(file)).toThrow(`cannot read ${file}: ${why}`);
  expect(() => profileOf(`${folder}/`)).toThrow(`cannot read ${folder}/: EISDIR`);
});

test("a file may begin with a byte order mark", () => {
  const file = join(folder, "marked.json");
  writeFileSync(file, `\uFEFF${JSON.stringify(ascend910b3)}`);
  expect(profileOf(file)).toEqual(ascend910b3);
});

test("a device of the user's own cannot pass for the CPU", () => {
  const file = join(folder, "cpu.json");
  writeFileSync(file, JSON.stringify(withValue(ascend910b3, "/name", "cpu")));
  expect(() => profileOf(file)).toThrow(/give the device a name of its own/);
  expect(deviceOf(profileOf("cpu"))).toBeUndefined();
});
