/** Longer sequences than a model knows are refused, wherever they can be asked for. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { moec } from "../support/moec.ts";
import { tempFolder } from "../support/temp.ts";

const model = "fixtures/tiny/v3"; // of 512 positions

describe("a context beyond the model's own is refused", () => {
  test.each([
    ["compile", ["--dry-run"]],
    ["compile", ["--dry-run", "--target", "ascend-910b3"]],
    ["compile", ["--emit", "mlir", "--emit-dir", "build/none", "--target", "ascend-910b3"]],
    ["compile", ["--dry-run", "--cluster", "8x ascend-910b3"]],
    ["compile", ["-o", "build/none", "--quant", "int8", "--calibrate", "fixtures/text/sample.txt"]],
    ["launch", ["--cluster", "8x ascend-910b3"]],
  ])("by moec %s %j", (command, args) => {
    expect(moec([command, model, ...args, "-c", "513"])).toEqual({
      code: 2,
      out: "",
      err: "error[usage/value]: --context is 513, expected at most 512, all positions that the model knows\n  --> --context\n",
    });
  });
  test("and all its positions are taken", () => {
    const { code, out } = moec(["compile", model, "--dry-run", "-c", "512", "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ context: 512 });
  });
});

test.each([
  [["--prompt-length", "512"], "--prompt-length is 512, expected at most 511"],
  [["--prompt-length", "500", "--output-length", "13"], "--prompt-length is 500, expected at most 499"],
  [["--output-length", "1024"], "--output-length is 1024, expected at most 511"],
  [
    ["--prompt-length", "60", "--output-length", "5", "-c", "64"],
    "--prompt-length is 60, expected at most 59",
  ],
])("a forecast of requests that no sequence holds is refused: %j", (args, message) => {
  const { code, err } = moec(["compile", model, "--dry-run", "--cluster", "8x ascend-910b3", ...args]);
  expect(code).toBe(2);
  expect(err).toContain(`error[usage/value]: ${message}: prompt and answer share the`);
});

describe("what needs more positions than a plan has is refused", () => {
  const folder = tempFolder();
  const plan = (context: number): string => {
    const dir = join(folder, `of-${context}`);
    if (!existsSync(dir)) expect(moec(["compile", model, "-o", dir, "-c", `${context}`]).code).toBe(0);
    return dir;
  };
  const ids = (count: number): string => Array(count).fill("1").join();

  test.each([
    [
      "run",
      64,
      ["--ids", ids(65)],
      "65 positions are needed, the plan was compiled for 64",
      "compile with a larger --context",
    ],
    [
      "run",
      64,
      ["--ids", ids(513)],
      "513 positions are needed, the plan was compiled for 64",
      "give fewer: the model itself knows 512",
    ],
    [
      "run",
      512,
      ["--ids", ids(513)],
      "513 positions are needed, the plan was compiled for 512",
      "give fewer: the model itself knows 512",
    ],
  ])(
    "by moec %s of a plan of %i: a longer one is advised where the model has it",
    (command, context, args, message, hint) => {
      const { code, err } = moec([command, plan(context), ...args, "-n", "1"]);
      expect(code).toBe(2);
      expect(err).toBe(`error[run/context]: ${message}\n  hint: ${hint}\n`);
    },
  );
});

test("a script serves no longer sequences than the model knows", () => {
  const { code, out } = moec(["launch", model, "--cluster", "8x ascend-910b3"]);
  expect(code).toBe(0);
  expect(out).toContain("--max-model-len 512 ");
});
