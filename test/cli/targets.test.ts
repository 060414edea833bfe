/** `moec targets`, and profiles of the user's own. */
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { confidences } from "../../src/support/figure.ts";
import { withValue } from "../support/json-edit.ts";
import { moec } from "../support/moec.ts";
import { tempFolder } from "../support/temp.ts";

const file = join(tempFolder(), "chip.json");

test("lists every device", () => {
  const { code, out } = moec(["targets"]);
  expect(code).toBe(0);
  expect(out).toMatch(/^cpu +any processor.*\n/);
  expect(out).toMatch(/^ascend-910b3 +Huawei Ascend 910B3: 20 cube and 40 vector cores at 1.8 GHz$/m);
});

test("shows each figure of one with its unit, confidence and source", () => {
  const { out } = moec(["targets", "ascend-910b3"]);
  expect(out).toMatch(/^clock +1,800 +MHz +vendor +CANN 8.1 Ascend910B3.ini, cube_freq$/m);
  expect(out).toMatch(/^energy.watts +90 +W +model +a model of 7 nm logic .* no figure is published$/m);
  expect(out).toMatch(/^paths.l0c-gm.converts +vendor .*\n +f32-f16, f32-bf16, f32-i8 by channel/m);
  for (const [name, meaning] of Object.entries(confidences)) expect(out).toContain(`${name.padEnd(11)}${meaning}`); // prettier-ignore
});

test("prints a profile in the form in which it is read", () => {
  const { out } = moec(["targets", "biren-br100", "--json"]);
  writeFileSync(file, out);
  expect(JSON.parse(moec(["targets", file, "--json"]).out)).toEqual(JSON.parse(out));
});

test("a profile of one's own is checked wherever a target is named", () => {
  const profile: unknown = JSON.parse(moec(["targets", "ascend-910b3", "--json"]).out);
  writeFileSync(file, JSON.stringify(withValue(profile, "/matrix/engine", "cub")));
  for (const line of [
    ["targets", file],
    ["compile", "fixtures/moe-6m", "--dry-run", "--target", file],
  ]) {
    // prettier-ignore
    const { code, err } = moec(line);
    expect(code).toBe(2);
    expect(err).toContain("error[profile/name]: matrix.engine of the profile names the engine cub");
    expect(err).toContain("did you mean cube?");
  }
});

test("an unknown device and a file that is not there are told apart", () => {
  expect(moec(["targets", "ascend-910"]).err).toContain(
    "error[usage/unknown]: there is no target ascend-910",
  );
  expect(moec(["targets", "./nowhere.json"]).err).toContain("error[usage/file]: cannot read ./nowhere.json");
});

test("a chip with too little room is told of what", () => {
  const profile: unknown = JSON.parse(moec(["targets", "biren-br100", "--json"]).out);
  const compile = (...more: readonly string[]) => moec(["compile", "fixtures/tiny/v3", "--dry-run", "--tune", "1", "--context", "64", ...more]); // prettier-ignore
  writeFileSync(file, JSON.stringify(withValue(profile, "/spaces/1/bytes/value", 1024)));
  const small = compile("--target", file);
  expect([small.code, small.err]).toEqual([
    4,
    expect.stringMatching(/device.no-tile.* in l1 takes \d+ bytes of 1024/),
  ]);
  writeFileSync(file, JSON.stringify(withValue(profile, "/flags/perPair/value", 3)));
  const few = compile("--target", file);
  expect([few.code, few.err]).toEqual([4, expect.stringContaining("error[profile/too-little]: flags.perPair.value of the profile gives 3; kernels need 6 flags between two engines that are not reserved")]); // prettier-ignore
  const slip = compile("--target", "biren-br10");
  expect([slip.code, slip.err]).toEqual([2, expect.stringContaining("did you mean biren-br100?")]);
});

test("what a compile finds out is remembered in the user's cache folder, unless that is not wanted or cannot be", () => {
  const home = tempFolder();
  const blocked = join(home, "blocked");
  writeFileSync(blocked, "");
  const version = moec(["--version"]).out.trim();
  const kept = join(home, "moec", version, "tiles/tiles.jsonl");
  const compileIn = (cache: string, ...more: readonly string[]) =>
    moec(["compile", "fixtures/tiny/v3", "--dry-run", "--tune", "1", "--context", "64", "--target", "ascend-910b3", ...more], { env: { XDG_CACHE_HOME: cache } }).code; // prettier-ignore
  expect([compileIn(home, "--tile-cache", "none"), existsSync(kept)]).toEqual([0, false]);
  expect([compileIn(blocked), compileIn(home), existsSync(kept)]).toEqual([0, 0, true]);
});

test("a folder of tiles that cannot be used is told once and stops no compile", () => {
  const home = tempFolder();
  const at = (name: string): string => join(home, name);
  writeFileSync(at("file"), "");
  symlinkSync(at("nowhere"), at("dangling"));
  mkdirSync(at("folders/tiles.jsonl"), { recursive: true });
  const warnings = (cache: string) => {
    const { code, err } = moec(["compile", "fixtures/tiny/v3", "--dry-run", "--quiet", "--tune", "1", "--context", "64", "--target", "ascend-910b3", "--tile-cache", cache]); // prettier-ignore
    return [code, err.split("\n").filter((line) => line.startsWith("warning: the tile cache"))];
  };
  const told = (file: string, why: string) => `warning: the tile cache ${file} cannot be used: ${why}; what is found out is not kept; give --tile-cache a folder that can be written to, or none`; // prettier-ignore
  const exists = "file already exists (EEXIST)";
  expect(warnings(at("file"))).toEqual([0, [told(at("file"), exists)]]);
  expect(warnings(at("dangling"))).toEqual([0, [told(at("dangling"), exists)]]);
  expect(warnings("/proc/nope")).toEqual([0, [told("/proc/nope", "no such file or directory (ENOENT)")]]);
  expect(warnings(at("folders"))).toEqual([0, [told(at("folders"), "illegal operation on a directory (EISDIR)")]]); // prettier-ignore
});
