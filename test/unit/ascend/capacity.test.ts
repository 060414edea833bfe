/** moec's verdict on tiles beside the one that Huawei's compiler gave, as `npm run validate` recorded it. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as v from "valibot";
import { profiles } from "../../../targets/index.ts";
import { tileFaults, type StagedTile } from "../../../targets/ascend/capacity.ts";

const record = v.parse(
  v.array(v.object({ target: v.string(), tile: v.custom<StagedTile>((it) => typeof it === "object"), fits: v.boolean() })),
  JSON.parse(readFileSync("fixtures/ascend/capacity.json", "utf8")),
); // prettier-ignore
const profileOf = (name: string) => profiles.find((it) => it.name === name) ?? expect.fail(`no ${name}`);

test("moec and Huawei's compiler agree on what fits, but for 1 in 20 at most", () => {
  const apart = record.filter(
    ({ target, tile, fits }) => (tileFaults(tile, profileOf(target)).length === 0) !== fits,
  );
  expect(record.length).toBeGreaterThanOrEqual(60);
  expect(apart.length, JSON.stringify(apart)).toBeLessThanOrEqual(record.length / 20);
  // Who refuses more is moec, which leaves alone what the runtime keeps to itself: nothing it accepts is refused.
  expect(apart.filter((it) => !it.fits)).toEqual([]);
});
