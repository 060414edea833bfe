/** `moec compile --emit`: kernels for a device's own compiler. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { KernelIndex } from "../../src/driver/device/emit-mlir.ts";
import { moec } from "../support/moec.ts";

const dir = mkdtempSync(join(tmpdir(), "moec-emit-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const emit = (...flags: string[]) => moec(["compile", "fixtures/moe-6m", "--emit", "mlir", ...flags]);

test("writes every kernel of the plan, one a file, and a list of them", () => {
  const { code, out } = emit(
    "--emit-dir",
    dir,
    "-t",
    "ascend-910b3",
    "--quant",
    "w8a8",
    "--tune",
    "1",
    "--json",
  );
  expect(code).toBe(0);
  const { chip, kernels, left } = JSON.parse(out) as KernelIndex;
  expect(chip).toBe("Ascend910B3");
  expect(left).toEqual([]);
  expect(readdirSync(dir).sort()).toEqual(["index.json", ...kernels.map((it) => it.file)].sort());
  for (const { name, file } of kernels)
    expect(readFileSync(join(dir, file), "utf8")).toContain(`func.func @${name}(`);
});

test("wants to know where to", () => {
  const { code, err } = emit("-t", "ascend-910b3");
  expect(code).toBe(2);
  expect(err).toContain("--emit-dir");
});

test("is for chips that have such a compiler", () => {
  const { code, err } = emit("--emit-dir", dir, "-t", "biren-br100");
  expect(code).toBe(2);
  expect(err).toContain("error[emit/no-compiler]");
});
