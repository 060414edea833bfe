/** The text that Huawei's compiler gets. A case names its kernel in the first line; `npm run check:ascend` compiles such texts. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { chipOf, compilerOptions } from "../../../targets/ascend/mlir/compiler.ts";
import { matmulText } from "../../../targets/ascend/mlir/matmul.ts";
import { kernelName, type MatmulSpec } from "../../../targets/ascend/mlir/spec.ts";

const folder = join(import.meta.dirname, "kernels");
const cases = readdirSync(folder);
const base = {
  rows: { kind: "one" },
  n: 2048,
  k: 7168,
  input: "bf16",
  output: "bf16",
  weight: "nk",
  dequantize: false,
  bias: false,
  tile: { m: 128, n: 256, k: 256 },
  copies: { l1: 2, l0c: 1 },
} as const satisfies MatmulSpec;

describe("kernels for the cube", () => {
  test.each(cases)("%s", (name) => {
    const file = join(folder, name);
    const [first = "", ...rest] = readFileSync(file, "utf8").split("\n");
    const spec = JSON.parse(first.replace(/^\/\/ kernel: /, "")) as MatmulSpec; // our own file
    const text = matmulText(spec, "Ascend910B3");
    if (process.env["MOEC_UPDATE_GOLDEN"] === "1") writeFileSync(file, `${first}\n${text}`);
    else expect(text).toBe(rest.join("\n"));
  });

  test("have names that tell apart what differs in them", () => {
    const specs: readonly MatmulSpec[] = [
      base,
      { ...base, n: 2112 },
      { ...base, output: "f32" },
      { ...base, weight: "kn" },
      { ...base, bias: true },
      { ...base, input: "i8", dequantize: true },
      { ...base, rows: { kind: "grouped", matrices: 8 } },
      { ...base, rows: { kind: "heads", matrices: 8 } },
      { ...base, tile: { m: 64, n: 256, k: 256 } },
      { ...base, copies: { l1: 2, l0c: 2 } },
    ];
    const names = specs.map(kernelName);
    expect(new Set(names).size).toBe(specs.length);
    expect(names.filter((it) => !/^[a-z][a-z0-9_]*$/.test(it))).toEqual([]);
  });

  test("are guarded only at edges there are", () => {
    expect(matmulText({ ...base, n: 2112 }, "Ascend910B3")).toContain("%columns = arith.minsi");
    expect(matmulText(base, "Ascend910B3")).not.toContain("%columns");
    expect(matmulText({ ...base, k: 100 }, "Ascend910B3")).toContain("%depth = arith.minsi");
    expect(matmulText(base, "Ascend910B3")).not.toContain("%depth =");
  });

  test("take the vector cores along only for what the cube cannot do", () => {
    expect(matmulText(base, "Ascend910B3")).toContain('mix_mode = "aic"');
    expect(matmulText({ ...base, input: "i8", dequantize: true }, "Ascend910B3")).toContain(
      'mix_mode = "mix"',
    );
  });
});

describe("Huawei's compiler", () => {
  test("is asked for the copies of buffers that the kernel has", () => {
    expect(compilerOptions(base, "Ascend910B3")).toContain(
      "--limit-auto-multi-buffer-of-local-buffer=no-l0c",
    );
    expect(compilerOptions({ copies: { l1: 2, l0c: 2 } }, "Ascend910B3")).toContain(
      "--limit-auto-multi-buffer-of-local-buffer=no-limit",
    );
    expect(compilerOptions({ copies: { l1: 1, l0c: 1 } }, "Ascend910B3")).toContain(
      "--enable-auto-multi-buffer=false",
    );
  });

  test("does not know every device", () => {
    expect(chipOf("ascend-910b3")).toBe("Ascend910B3");
    expect(() => chipOf("biren-br100")).toThrow("there is no compiler that takes MLIR for biren-br100");
  });
});
