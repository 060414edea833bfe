/** Laws of machine profiles, held for every one that comes with moec. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Validator, type Schema } from "@cfworker/json-schema";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { figuresOf, modelled } from "../../src/machine/figures.ts";
import { faultsOf, parseProfile } from "../../src/machine/profile.ts";
import { canArrange, route, spaceOf, usableBytes } from "../../src/machine/rates.ts";
import { CompileError } from "../../src/support/diagnostics.ts";
import { byteLength } from "../../src/tensor/dtype.ts";
import { profiles } from "../../targets/index.ts";
import { ascend910b3 } from "../../targets/ascend/profiles/910.ts";
import { leaves, withValue } from "../support/json-edit.ts";
import { root } from "../support/moec.ts";

const published: Schema = JSON.parse(readFileSync(join(root, "docs/profile.schema.json"), "utf8"));
const validator = new Validator(published, "2020-12", false);

test("profiles have names of their own", () => {
  const names = profiles.map((it) => it.name);
  expect(new Set(names).size).toBe(names.length);
});

describe.each(profiles.map((it) => [it.name, it] as const))("%s", (_name, profile) => {
  test("is sound", () => expect(faultsOf(profile, "profile")).toEqual([]));

  test("is data: its JSON reads as the same profile", () => {
    expect(parseProfile(JSON.stringify(profile), "chip.json")).toEqual(profile);
  });

  test("is what the published schema, read by another implementation, describes", () => {
    expect(validator.validate(JSON.parse(JSON.stringify(profile))).errors).toEqual([]);
  });

  test("tells the source of every figure, and that energy is a model", () => {
    const figures = figuresOf(profile);
    expect(new Set(figures.map((it) => it.place)).size).toBe(figures.length);
    for (const { place, figure } of figures) {
      expect(figure.source.trim(), place).not.toBe("");
      if (place.startsWith("energy.")) expect(figure.confidence, place).toBe("model");
    }
  });

  test("copies by an engine of the core that owns one of the two spaces", () => {
    for (const path of profile.paths) {
      const cores = [path.from, path.to].map((it) => spaceOf(profile, it).core);
      expect(cores, `${path.from} to ${path.to}`).toContain(path.core);
    }
  });

  test("arranges data only as both spaces may hold it", () => {
    for (const path of profile.paths) {
      const [from, to] = [spaceOf(profile, path.from), spaceOf(profile, path.to)];
      for (const [before, after] of path.layouts) {
        expect(from.layouts).toContain(before);
        expect(to.layouts).toContain(after);
      }
      expect(from.layouts.some((a) => to.layouts.some((b) => canArrange(path, a, b)))).toBe(true);
    }
  });

  test("can bring operands to its units and results back to memory", () => {
    const { a, b, c } = profile.matrix;
    for (const [from, to] of [
      ["gm", a],
      ["gm", b],
      [c, "gm"],
      ["gm", profile.vector.space],
      [profile.vector.space, "gm"],
    ] as const)
      // prettier-ignore
      expect(route(profile, from, to), `${from} to ${to}`).toBeDefined();
  });

  test("holds two fragments of each dtype in its matrix unit's spaces", () => {
    const { a, b, c, rates } = profile.matrix;
    const usable = (space: string): number => usableBytes(spaceOf(profile, space));
    for (const { a: left, b: right, acc, m, n, k } of rates) {
      expect(usable(a)).toBeGreaterThanOrEqual(2 * byteLength(left, m * k));
      expect(usable(b)).toBeGreaterThanOrEqual(2 * byteLength(right, n * k));
      expect(usable(c)).toBeGreaterThanOrEqual(2 * byteLength(acc, m * n));
    }
  });

  test("has as much memory as its outermost space", () => {
    expect(spaceOf(profile, "gm").bytes.value).toBe(profile.memory.capacity.value);
  });
});

test("what nobody has published of Biren's units is marked as a model", () => {
  for (const profile of profiles.filter((it) => it.vendor === "Biren")) {
    const inside = figuresOf(profile).filter(({ place }) =>
      /^(spaces\.t[abcv]|paths|matrix|flags)\./.test(place),
    );
    expect(inside.length).toBeGreaterThan(30);
    expect(inside.filter(({ figure }) => figure.confidence !== "model")).toEqual([]);
    const { time, energy } = modelled(profile);
    expect(time).toContain("paths.gm-l1.bytesPerCycle");
    expect(energy).toContain("energy.watts");
  }
});

test("a value of the wrong kind anywhere is refused at its own place, by moec and by the published schema", () => {
  const wrongKinds = fc.constantFrom(true, null, [[]]);
  fc.assert(
    fc.property(fc.constantFrom(...leaves(ascend910b3)), wrongKinds, (pointer, wrong) => {
      const broken = withValue(ascend910b3, pointer, wrong);
      expect(validator.validate(broken).valid).toBe(false);
      const found = faultsIn(JSON.stringify(broken));
      expect(found).toContainEqual({ kind: "json", file: "chip.json", pointer });
    }),
    { numRuns: 150 },
  );
});

/** Where the faults of a profile lie. */
function faultsIn(text: string): readonly unknown[] {
  try {
    parseProfile(text, "chip.json");
    return [];
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    return error.diagnostics.map((it) => it.where);
  }
}
