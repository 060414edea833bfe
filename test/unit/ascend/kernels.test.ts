/** The texts that Huawei's compiler gets, one of each kind; `npm run check:ascend -- --execute` compiles and runs the same kernels. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { trials } from "../../../fixtures/scripts/ascend/kinds.ts";
import { maker } from "../../../fixtures/scripts/ascend/trials.ts";
import { chipKernel } from "../../../src/driver/device/emit-mlir.ts";
import { chipOf, compilerOptions } from "../../../targets/ascend/mlir/compiler.ts";
import { ascend910b3 } from "../../../targets/ascend/profiles/910.ts";
import { gemm } from "../../../targets/device/kernels/matrix/gemm.ts";
import type { GemmSpec } from "../../../targets/device/kernels/matrix/spec.ts";
import { pingPong } from "../../../targets/device/search/published.ts";

const folder = "fixtures/ascend/kernels";
const fileOf = (what: string): string => `${what.toLowerCase().replace(/[^a-z0-9]+/g, "-")}.mlir`;
const kinds = trials(ascend910b3);

describe("a kernel of each kind", () => {
  test.each(kinds.map((it) => [it.what, it] as const))("%s", (what, { made }) => {
    const { text } = chipKernel(made, ascend910b3);
    const file = join(folder, fileOf(what));
    if (process.env["MOEC_UPDATE_GOLDEN"] === "1") writeFileSync(file, text);
    else expect(text).toBe(readFileSync(file, "utf8"));
  });

  test("and no text without a kernel", () => {
    expect(readdirSync(folder).sort()).toEqual(kinds.map((it) => fileOf(it.what)).sort());
  });

  test("names every value once", () => {
    for (const { made } of kinds) {
      const { text } = chipKernel(made, ascend910b3);
      const names = [...text.matchAll(/^ *(%[\w.]+)(?::\d+)? = /gm)].map((it) => it[1]);
      expect(new Set(names).size).toBe(names.length);
    }
  });
});

const make = maker(ascend910b3);
const bf16 = (width: number) => ({ dtype: "bf16", width }) as const;
const product: GemmSpec = { a: bf16(7168), w: { kind: "plain", dtype: "bf16" }, out: bf16(2112) };
const written = (spec: GemmSpec, tile = pingPong(128, 192, 256)) =>
  chipKernel(make(gemm, spec, tile), ascend910b3);

describe("a product", () => {
  test("is guarded only at edges there are", () => {
    expect(written(product).text).not.toContain("%columns");
    expect(written({ ...product, out: bf16(2000) }).text).toContain("%columns = arith.minsi");
    expect(written(product).text).not.toContain("%depth = arith.minsi");
    expect(written({ ...product, a: bf16(7000) }).text).toContain("%depth = arith.minsi");
  });

  test("takes the vector cores along only for what the cube cannot do", () => {
    expect(written(product).listed.cores).toBe("aic");
    expect(written({ ...product, bias: true }).listed.cores).toBe("mix");
  });

  test("is in the plan's tile where the compiler has room for it, and says where it is not", () => {
    expect(written(product).listed).toMatchObject({ tile: "128x192x256" });
    expect(written(product).listed.differs).toBeUndefined();
    const { listed } = written(product, pingPong(16, 64, 2048));
    expect(listed).toMatchObject({ tile: "16x64x1024", differs: expect.stringContaining("16x64x2048") });
  });
});

describe("Huawei's compiler", () => {
  test("is asked for the copies of buffers that the kernel has", () => {
    const limit = (it: string): string => `--limit-auto-multi-buffer-of-local-buffer=${it}`;
    expect(compilerOptions("all but accumulators", "Ascend910B3")).toContain(limit("no-l0c"));
    expect(compilerOptions("all", "Ascend910B3")).toContain(limit("no-limit"));
    expect(compilerOptions("none", "Ascend910B3")).toContain("--enable-auto-multi-buffer=false");
  });

  test("does not know every device", () => {
    expect(chipOf("ascend-910b3")).toBe("Ascend910B3");
    expect(() => chipOf("biren-br100")).toThrow("there is no compiler that takes MLIR for biren-br100");
  });
});
