/** What Huawei publishes of its kernels, and what the simulator says of them: docs/validation.md, held here. */
import { describe, expect, test } from "vitest";
import { ascDevkit, catlass } from "../../../../fixtures/scripts/validate/measured.ts";

const off = ({ predicted, published }: (typeof catlass)[number]): number =>
  Math.abs(predicted() / published - 1);

describe("times that Huawei publishes", () => {
  test.each(catlass)("of CATLASS on $device: $what in $tile, within 15 %", (it) => {
    expect(off(it)).toBeLessThan(0.15);
  });

  test.each(ascDevkit.filter((it) => it.miss === undefined))(
    "of asc-devkit on $device: $what in $tile, within 15 %, within 2 % where a figure was fitted",
    (it) => {
      expect(off(it)).toBeLessThan(it.fitted ? 0.02 : 0.15);
    },
  );
});
