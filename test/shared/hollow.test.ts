/** DeepSeek-V3 at its true size, its weights holes in the files: what planning it for a cluster says. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { moec } from "../support/moec.ts";
import { shared } from "./folder.ts";

test("DeepSeek-V3 is planned for cloudmatrix-384, and for eight 910B3 in int4 but not in BF16", { timeout: 300_000 }, ({ skip }) => {
  const maker = shared("tools/hollow-checkpoint.mjs", skip);
  const dir = mkdtempSync(join(tmpdir(), "moec-hollow-"));
  const plan = (cluster: string, ...more: readonly string[]) =>
    moec(["compile", dir, "--dry-run", "--cluster", cluster, "--json", ...more]);
  try {
    spawnSync(process.execPath, [maker, "deepseek-v3", dir]);
    const large = plan("cloudmatrix-384");
    expect(large.code).toBe(0);
    expect(JSON.parse(large.out)).toMatchObject({ cluster: { devices: 768 }, quantization: "none" });
    expect(plan("8x ascend-910b3", "--quant", "int4").code).toBe(0);
    const { code, out } = plan("8x ascend-910b3");
    expect(code).toBe(4);
    expect(out).toContain("cluster/too-small");
  } finally {
    rmSync(dir, { recursive: true });
  }
}); // prettier-ignore
