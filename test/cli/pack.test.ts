/** The package as users get it: packed, unpacked elsewhere, and run with nothing of the checkout in sight. */
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { executable, moec, root } from "../support/moec.ts";

const temp = realpathSync(mkdtempSync(join(tmpdir(), "moec-pack-")));
const modules = join(temp, "node_modules");
const installed = join(modules, "moec");
const empty = join(temp, "empty");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  version: string;
  dependencies: Record<string, string>;
};

function done(command: string, args: readonly string[], cwd: string): string {
  const result = spawnSync(command, args, { cwd, encoding: "utf8", shell: process.platform === "win32" });
  if (result.status !== 0)
    throw new Error(`${command} ${args.join(" ")} failed:\n${result.stdout}${result.stderr}`);
  return result.stdout;
}

afterAll(() => rmSync(temp, { recursive: true, force: true }));

describe("the package", () => {
  // npm cannot install offline without a warm cache, so the tarball is unpacked where npm would put it.
  beforeAll(() => {
    mkdirSync(installed, { recursive: true });
    mkdirSync(empty);
    done("npm", ["pack", "--pack-destination", temp], root);
    done(
      "tar",
      ["-xzf", join(temp, `moec-${manifest.version}.tgz`), "-C", installed, "--strip-components=1"],
      temp,
    );
    for (const name of Object.keys(manifest.dependencies)) {
      mkdirSync(dirname(join(modules, name)), { recursive: true });
      symlinkSync(join(root, "node_modules", name), join(modules, name), "junction");
    }
  }, 120_000);

  test("holds what was built and no sources", () => {
    expect(existsSync(join(installed, "dist/src/cli/main.js"))).toBe(true);
    for (const absent of ["src", "test", "fixtures"])
      expect(existsSync(join(installed, absent)), absent).toBe(false);
  });
  test("runs from an empty folder", () => {
    const file = join(installed, "bin/moec.js");
    expect(moec(["--version"], { file, cwd: empty })).toEqual({
      code: 0,
      out: `${manifest.version}\n`,
      err: "",
    });
    expect(moec(["--help"], { file, cwd: empty }).code).toBe(0);
    expect(moec(["completion", "fish"], { file, cwd: empty }).out).toContain("complete -c moec");
  });
  test("compiles a checkpoint and runs the plan, threads and all", () => {
    const file = join(installed, "bin/moec.js");
    const compiled = moec(["compile", join(root, "fixtures/moe-6m"), "-o", "plan", "--threads", "2"], {
      file,
      cwd: empty,
    });
    expect(compiled.code, compiled.err).toBe(0);
    const args = ["run", "plan", "--prompt", "And it came to pass", "-n", "4", "--threads", "2", "--json"];
    const ran = moec(args, { file, cwd: empty });
    expect(ran.code, ran.err).toBe(0);
    expect(JSON.parse(ran.out)).toMatchObject({ text: expect.any(String) as string });
  });
});

describe("an old Node", () => {
  const shim = join(temp, "old-node.cjs");
  const old = ["-r", shim];
  beforeAll(() => {
    writeFileSync(shim, `Object.defineProperty(process.versions, "node", { value: "18.20.0" });\n`);
  });

  test("gets one sentence", () => {
    const alone = join(temp, "alone");
    mkdirSync(join(alone, "bin"), { recursive: true });
    copyFileSync(executable, join(alone, "bin/moec.js"));
    writeFileSync(join(alone, "package.json"), `{ "type": "module" }`);
    expect(moec(["--version"], { file: join(alone, "bin/moec.js"), node: old })).toEqual({
      code: 2,
      out: "",
      err: "moec needs Node 24 or newer; this is v18.20.0\n",
    });
  });
  test("hands over to the checkout's own Node 24, with arguments, output and exit code", ({ skip }) => {
    if (!existsSync(join(root, "node_modules/node/bin/node")))
      skip("the node dev dependency is not installed");
    expect(moec(["--version"], { node: old })).toEqual({ code: 0, out: `${manifest.version}\n`, err: "" });
    expect(moec(["nonsense"], { node: old }).code).toBe(2);
  });
});
