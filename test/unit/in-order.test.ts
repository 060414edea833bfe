import fc from "fast-check";
import { expect, test } from "vitest";
import { inOrder } from "../../src/cli/in-order.ts";

test("texts that come at once are written one after another, the first as it comes", () => {
  const out: string[] = [];
  const [first, second, third] = inOrder(3, (piece) => out.push(piece));
  second?.write("b");
  first?.write("a");
  expect(out).toEqual(["a"]);
  third?.write("c");
  third?.end();
  first?.end();
  second?.write("B");
  expect(out).toEqual(["a", "b", "B"]);
  second?.end();
  expect(out).toEqual(["a", "b", "B", "c"]);
});

test("whatever the order in which they come, all is written", () => {
  const events = fc.array(fc.nat(3), { maxLength: 20 });
  fc.assert(
    fc.property(events, fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }), (writes, ends) => {
      const out: number[] = [];
      const writers = inOrder(4, (piece) => out.push(Number(piece)));
      for (const i of writes) writers[i]?.write(`${i}`);
      for (const i of ends) writers[i]?.end();
      expect(out).toEqual(writes.toSorted());
    }),
  );
});
