/** moec's verdict on tiles beside the one that Huawei's compiler gave, as `npm run validate` recorded it. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as v from "valibot";
import { profiles } from "../../../targets/index.ts";
import { tileFaults } from "../../../targets/ascend/capacity.ts";
import { defaultCopies, defaultTile } from "../../../targets/ascend/tiles.ts";
import type { MatmulSpec } from "../../../targets/ascend/mlir/spec.ts";

const record = v.parse(
  v.array(v.object({ target: v.string(), spec: v.custom<MatmulSpec>((it) => typeof it === "object"), fits: v.boolean() })),
  JSON.parse(readFileSync("fixtures/ascend/capacity.json", "utf8")),
); // prettier-ignore
const profileOf = (name: string) => profiles.find((it) => it.name === name) ?? expect.fail(`no ${name}`);

test("moec and Huawei's compiler agree on what fits, but for 1 in 20 at most", () => {
  const apart = record.filter(
    ({ target, spec, fits }) => (tileFaults(spec, profileOf(target)).length === 0) !== fits,
  );
  expect(record.length).toBeGreaterThanOrEqual(60);
  expect(apart.length, JSON.stringify(apart)).toBeLessThanOrEqual(record.length / 20);
  // Who refuses more is moec, which leaves alone what the runtime keeps to itself: nothing it accepts is refused.
  expect(apart.filter((it) => !it.fits)).toEqual([]);
});

test.each(["ascend-910b1", "ascend-910b3", "ascend-910c", "ascend-950pr"])("CATLASS's tiles fit %s", (name) => {
  const profile = profileOf(name);
  for (const input of ["bf16", "f16", "i8"] as const)
    for (const rows of [1, 8, 40, 4096]) {
      const size = { input, n: 7168, k: 2048 };
      const tile = defaultTile(size, rows);
      const copies = defaultCopies(tile, profile);
      const spec = { ...size, rows: { kind: "one" }, output: "f32", weight: "nk", dequantize: false, bias: false, tile, copies } as const; // prettier-ignore
      expect(tileFaults(spec, profile)).toEqual([]);
    }
}); // prettier-ignore
