import { expect, test } from "vitest";
import { bytes, counted, number, short, table } from "../../src/support/text.ts";

test("figures are short and never in powers of ten", () => {
  expect([0, 999, 1000, 6617088, 671026419200].map(short)).toEqual(["0", "999", "1.00 k", "6.62 M", "671 G"]);
  expect([0, 1023, 1024, 1047552, 2 ** 40].map(bytes)).toEqual([
    "0 B",
    "1023 B",
    "1.00 KiB",
    "1023 KiB",
    "1024 GiB",
  ]);
  expect(number(1234567)).toBe("1,234,567");
});

test("one thing is told in the singular", () => {
  expect([0, 1, 2, 1024].map((n) => counted(n, "window"))).toEqual([
    "0 windows",
    "1 window",
    "2 windows",
    "1,024 windows",
  ]);
  expect([1, 2].map((n) => counted(n, "matrix", "matrices"))).toEqual(["1 matrix", "2 matrices"]);
});

test("columns of words stand to the left, columns of numbers to the right", () => {
  expect(
    table([
      ["a", 5, "x"],
      ["long", 12, ""],
    ]),
  ).toBe("a      5  x\nlong  12\n");
});
