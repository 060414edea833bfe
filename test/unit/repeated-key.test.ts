import fc from "fast-check";
import { expect, test } from "vitest";
import { repeatedKey } from "../../src/support/repeated-key.ts";

test.each([
  ['{"a": 1, "a": 2}', "/a"],
  ['{"a": 1, "b": [{"c": 1}, {"c": 2, "c": 3}]}', "/b/1/c"],
  ['{"ab": 1, "a\\u0062": 2}', "/ab"],
  ['[[], [{"x": {"y\\\\": ",{", "y\\\\": 1}}]]', "/1/0/x/y\\"],
])("in %s the first field that is given twice is %s", (json, pointer) => {
  expect(repeatedKey(json)).toBe(pointer);
});

test("what JSON.stringify writes has no field twice", () => {
  fc.assert(fc.property(fc.json(), (json) => repeatedKey(json) === undefined));
});

test("long strings and deep nesting are scanned like others", () => {
  const deep = 1 << 17;
  expect(repeatedKey(`${"[".repeat(deep)}${"]".repeat(deep)}`)).toBeUndefined();
  expect(repeatedKey(`{"a": "${"\\n".repeat(deep)}", "a": 1}`)).toBe("/a");
});
