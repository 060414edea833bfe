/** A command that writes a file says so to people: on standard error, unless it is to be quiet. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { moec } from "../support/moec.ts";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const at = (name: string): string => join(folder, name);
const done = (...args: readonly string[]) => {
  const { code, out, err } = moec(args);
  expect(code, err).toBe(0);
  return { out, err };
};

beforeAll(() => {
  done("compile", "fixtures/moe-6m", "-o", at("cpu"), "--quiet");
  done("compile", "fixtures/tiny/v3", "-o", at("npu"), "--quiet", "--target", "ascend-910b3", "--tune", "1", "-c", "64"); // prettier-ignore
  done("route", at("cpu"), "--text", "fixtures/text/sample.txt", "--windows", "1", "-o", at("routes"), "--quiet"); // prettier-ignore
});

test.each([
  ["launch", ["fixtures/moe-6m", "--cluster", "8x ascend-910b3", "-o"]],
  ["place", [at("routes"), "--cluster", "1x2 ascend-910b3", "-o"]],
  ["route", [at("cpu"), "--text", "fixtures/text/sample.txt", "--windows", "1", "-o"]],
  ["run", [at("cpu"), "--ids", "1,2,3", "--logits"]],
  ["report", [at("npu"), "-o"]],
  ["simulate", [at("npu"), "--phase", "decode", "--trace"]],
])("moec %s", (command, args) => {
  const file = (mode: string): string => at(`${command}-${mode}`);
  expect(done(command, ...args, file("told")).err).toBe(`wrote ${file("told")}\n`);
  const { out, err } = done(command, ...args, file("json"), "--json");
  expect(JSON.parse(out)).toBeTypeOf("object");
  expect(err).toBe(`wrote ${file("json")}\n`);
  expect(done(command, ...args, file("quiet"), "--quiet").err).toBe("");
  for (const mode of ["told", "json", "quiet"]) expect(existsSync(file(mode))).toBe(true);
});
