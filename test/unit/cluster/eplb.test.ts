/** DeepSeek's load balancer, held to the answers of DeepSeek's own code. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { eplb } from "../../../src/cluster/placement/eplb.ts";
import { root } from "../../support/moec.ts";

test("the example of EPLB's README comes out as printed there", () => {
  const at = { slots: 16, groups: 4, nodes: 2, devices: 8 };
  expect(eplb([90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86], at).flat()).toEqual([
    5, 6, 5, 7, 8, 4, 3, 4, 10, 9, 10, 2, 0, 1, 11, 1,
  ]);
  expect(eplb([20, 107, 104, 64, 19, 197, 187, 157, 172, 86, 16, 27], at).flat()).toEqual([
    7, 10, 6, 8, 6, 11, 8, 9, 2, 4, 5, 1, 5, 0, 3, 1,
  ]);
});

const numbers = v.array(v.array(v.number()));
const size = v.number();
const cases = v.parse(
  v.array(
    v.object({ slots: size, groups: size, nodes: size, devices: size, loads: numbers, placed: numbers }),
  ),
  JSON.parse(readFileSync(join(root, "fixtures/placement/eplb.json"), "utf8")),
);

describe("heavy-tailed loads are placed as DeepSeek's code places them", () => {
  test.each(cases)("$slots copies in $groups groups, $nodes nodes of $devices devices", (it) => {
    it.loads.forEach((loads, layer) => expect(eplb(loads, it).flat()).toEqual(it.placed[layer]));
  });
});
