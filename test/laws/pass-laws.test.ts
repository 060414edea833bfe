import { describe, expect, test } from "vitest";
import { parseModule } from "../../src/ir/parser.ts";
import { printModule } from "../../src/ir/printer.ts";
import { verify } from "../../src/ir/verifier.ts";
import { runPass, runPasses } from "../../src/pass/runner.ts";
import { passes, pipeline } from "../../passes/index.ts";
import { goldenFiles, readCase } from "../support/golden-case.ts";
import { expectSameNumbers } from "../support/numeric.ts";

const inputs = goldenFiles().map((file) => ({ file, module: parseModule(readCase(file).input, file) }));

describe.for(passes)("$name", (pass) => {
  test.for(inputs)("keeps the laws on $file", ({ module }) => {
    const before = printModule(module);
    const { module: after } = runPass(module, pass);
    expect(printModule(module), "the input is not changed").toBe(before);
    expect(verify(after), "the result is well-formed").toEqual([]);
    expect(printModule(runPass(module, pass).module), "it is deterministic").toBe(printModule(after));
    expect(runPass(after, pass).module, "a second run finds nothing to do").toBe(after);
  });
});

test.for(inputs)("the whole pipeline keeps the numbers of $file", ({ module }) => {
  const after = runPasses(module, pipeline);
  expectSameNumbers(module, after, 1e-4);
});
