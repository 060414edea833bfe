/** The tarball installed by npm into an empty folder. It needs a registry, so it runs where `MOEC_REGISTRY` is set. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { root } from "../support/moec.ts";

const folder = mkdtempSync(join(tmpdir(), "moec-install-"));
afterAll(() => rmSync(folder, { recursive: true }));

const npm = (args: readonly string[], cwd: string) =>
  spawnSync("npm", [...args], { cwd, encoding: "utf8", shell: process.platform === "win32" });

test.runIf(process.env["MOEC_REGISTRY"])(
  "npm installs the tarball, and its moec compiles and runs",
  () => {
    expect(npm(["pack", "--pack-destination", folder], root).status).toBe(0);
    const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz")) ?? "";
    writeFileSync(join(folder, "package.json"), "{}");
    const installed = npm(["install", "--no-audit", "--no-fund", join(folder, tarball)], folder);
    expect(installed.status, installed.stderr).toBe(0);
    const compiled = npm(
      ["exec", "moec", "--", "compile", join(root, "fixtures/moe-6m"), "-o", "plan"],
      folder,
    );
    expect(compiled.status, compiled.stderr).toBe(0);
    const args = [
      "exec",
      "moec",
      "--",
      "run",
      "plan",
      "--prompt",
      "And it came to pass",
      "-n",
      "4",
      "--json",
    ];
    const ran = npm(args, folder);
    expect(JSON.parse(ran.stdout), ran.stderr).toMatchObject({ text: expect.any(String) as string });
  },
  240_000,
);
