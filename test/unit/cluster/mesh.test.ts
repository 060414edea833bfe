import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  axes,
  expertGroup,
  expertRanks,
  formatMesh,
  groupAlong,
  parseMesh,
  placeOf,
  rankAt,
  rankCount,
  share,
  tokenGroup,
} from "../../../src/cluster/mesh.ts";

const meshes = fc.record({
  pp: fc.integer({ min: 1, max: 4 }),
  dp: fc.integer({ min: 1, max: 4 }),
  ep: fc.integer({ min: 1, max: 4 }),
  tp: fc.integer({ min: 1, max: 4 }),
});

describe("a mesh", () => {
  test("is read whatever the order of its axes, and written in one", () => {
    expect(parseMesh("tp2xep4")).toEqual({ pp: 1, dp: 1, ep: 4, tp: 2 });
    expect(formatMesh(parseMesh("tp2xpp3xep4xdp5"))).toBe("pp3xdp5xep4xtp2");
    expect(formatMesh(parseMesh("ep1"))).toBe("tp1");
    fc.assert(fc.property(meshes, (mesh) => void expect(parseMesh(formatMesh(mesh))).toEqual(mesh)));
  });
  test.each([
    "",
    "2",
    "ep",
    "ep0",
    "ep2x",
    "xep2",
    "ep2xep4",
    "dp",
    "cp2",
    "ep-2",
    "ep2 x tp2",
    "ep9999",
    "ep99xtp99",
  ])("is not '%s'", (text) => expect(() => parseMesh(text)).toThrow("usage/value"));
  test("has every place once, tensor ranks next to each other", () => {
    fc.assert(
      fc.property(meshes, (mesh) => {
        const ranks = Array.from({ length: rankCount(mesh) }, (_, rank) => rank);
        for (const rank of ranks) {
          const place = placeOf(mesh, rank);
          expect(rankAt(mesh, place)).toBe(rank);
          for (const axis of axes) {
            const group = groupAlong(mesh, place, axis);
            expect(group[place[axis]]).toBe(rank);
            expect(group).toEqual(group.toSorted((a, b) => a - b));
          }
          expect(groupAlong(mesh, place, "tp").at(-1)).toBe(rank - place.tp + mesh.tp - 1);
        }
      }),
    );
  });
});

describe("the experts of a stage", () => {
  test("are shared by all of its ranks, the tokens of a sequence by those of its group", () => {
    const mesh = parseMesh("pp2xdp3xep2xtp2");
    const place = { pp: 1, dp: 1, ep: 0, tp: 1 };
    expect(expertRanks(mesh)).toBe(12);
    expect(expertGroup(mesh, place)).toEqual([12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]);
    expect(tokenGroup(mesh, place)).toEqual([16, 17, 18, 19]);
  });
  test("are on every tensor rank where there are no others", () => {
    const mesh = parseMesh("pp2xtp2");
    const place = { pp: 1, dp: 0, ep: 0, tp: 1 };
    expect(expertRanks(mesh)).toBe(1);
    expect(expertGroup(mesh, place)).toEqual([3]);
    expect(tokenGroup(mesh, place)).toEqual([3]);
  });
});

test("shares are as equal as they come and leave nothing out", () => {
  fc.assert(
    fc.property(fc.nat(100), fc.integer({ min: 1, max: 12 }), (size, parts) => {
      const shares = Array.from({ length: parts }, (_, i) => share(size, parts, i));
      expect(shares[0]?.[0]).toBe(0);
      expect(shares.at(-1)?.[1]).toBe(size);
      shares.slice(1).forEach(([begin], i) => expect(begin).toBe(shares[i]?.[1]));
      const sizes = shares.map(([begin, end]) => end - begin);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    }),
  );
});
