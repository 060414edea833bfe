import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseModule } from "../src/ir/parser.ts";
import { printModule } from "../src/ir/printer.ts";
import { verify } from "../src/ir/verifier.ts";
import { runPass } from "../src/pass/runner.ts";
import { passes } from "../passes/index.ts";
import { formatCase, goldenFiles, goldenFolders, goldenPath, readCase } from "./support/golden-case.ts";
import { expectSameNumbers } from "./support/numeric.ts";

const update = process.env["MOEC_UPDATE_GOLDEN"] === "1";

test("every folder belongs to a pass and every pass has a folder", () => {
  expect(goldenFolders()).toEqual(passes.map((p) => p.name).sort());
});

for (const file of goldenFiles())
  test(`golden ${file}`, () => {
    const c = readCase(file);
    expect(file.startsWith(`${c.pass.name}/`), "the case stands in the folder of its pass").toBe(true);
    const before = parseModule(c.input, file);
    const after = runPass(before, c.pass).module;
    expect(verify(after)).toEqual([]);
    expectSameNumbers(before, after, c.pass.tolerance);
    if (update)
      writeFileSync(goldenPath(file), formatCase(c.header, printModule(before), printModule(after)));
    else {
      expect(c.input, "the input is canonical").toBe(printModule(before));
      expect(printModule(after)).toBe(c.expected);
    }
  });

test.runIf(!update)("every rule fires in some case, and every pass leaves some case alone", () => {
  const runs = goldenFiles().map((file) => {
    const c = readCase(file);
    const before = parseModule(c.input, file);
    return { pass: c.pass.name, before, ...runPass(before, c.pass) };
  });
  const fired = new Set(runs.flatMap((r) => [...r.counts.keys()]));
  expect(passes.flatMap((p) => p.rules).filter((name) => !fired.has(name))).toEqual([]);
  const idle = new Set(runs.filter((r) => r.module === r.before).map((r) => r.pass));
  expect(passes.map((p) => p.name).filter((name) => !idle.has(name))).toEqual([]);
});
