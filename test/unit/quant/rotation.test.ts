import fc from "fast-check";
import { expect, test } from "vitest";
import { rotationOf } from "../../../src/tensor/hadamard.ts";

test("what is rotated together is never parted between ranks that share columns evenly", () => {
  expect(rotationOf(96)).toBe(32);
  expect(rotationOf(96, 2)).toBe(16); // two parts of 48
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 1, max: 16 }), (each, shares) => {
      const block = rotationOf(each * shares, shares);
      expect(each % block).toBe(0);
      expect(block & (block - 1)).toBe(0);
    }),
  );
});
