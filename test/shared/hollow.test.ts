/** DeepSeek-V3 at its true size, its weights holes in the files: what planning it for a cluster takes. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { moec } from "../support/moec.ts";
import { shared } from "./folder.ts";

const maker = join(shared, "tools/hollow-checkpoint.mjs");

describe.skipIf(!existsSync(maker))("DeepSeek-V3 on clusters", () => {
  const dir = mkdtempSync(join(tmpdir(), "moec-hollow-"));
  beforeAll(() => void spawnSync(process.execPath, [maker, "deepseek-v3", dir]), 60_000);
  afterAll(() => rmSync(dir, { recursive: true }));
  const plan = (...args: readonly string[]) => moec(["compile", dir, "--dry-run", "--quiet", ...args]);

  test("is planned for cloudmatrix-384", { timeout: 120_000 }, () => {
    const { code, out } = plan("--cluster", "cloudmatrix-384", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ cluster: { devices: 768 }, quantization: "none" });
  });

  test("fits eight 910B3 in int4, and in BF16 the reason is told", { timeout: 240_000 }, () => {
    const eight = ["--cluster", "8x ascend-910b3"];
    expect(plan(...eight, "--quant", "int4").code).toBe(0);
    const { code, err } = plan(...eight);
    expect(code).toBe(4);
    expect(err).toContain("cluster/too-small");
  });
});
