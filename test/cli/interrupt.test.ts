/** Ctrl-C at any time ends with 130 and leaves nothing half done. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { executable, moec, root } from "../support/moec.ts";

const folder = mkdtempSync(join(tmpdir(), "moec-interrupt-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Start a command, interrupt it when `ready` says so, and give the code it ends with. */
function interrupted(args: readonly string[], ready: (output: string) => boolean): Promise<number | null> {
  const child = spawn(process.execPath, [executable, ...args], { cwd: root });
  let output = "";
  let sent = false;
  const listen = (data: Buffer) => {
    output += data.toString();
    if (!sent && ready(output)) sent = child.kill("SIGINT");
  };
  child.stdout.on("data", listen);
  child.stderr.on("data", listen);
  return new Promise((resolve) => child.on("exit", resolve));
}

test("while a plan writes text", async () => {
  const plan = join(folder, "plan");
  expect(moec(["compile", "fixtures/moe-6m", "-o", plan]).code).toBe(0);
  const args = ["run", plan, "--ids", "0,37,272", "-n", "4000"];
  expect(await interrupted(args, (output) => output.length > 20)).toBe(130);
});

test("while a plan is written: no plan, no litter", async () => {
  const plan = join(folder, "stopped");
  // The last line before the weights are written.
  const code = await interrupted(["compile", "fixtures/moe-6m", "-o", plan], (it) =>
    it.includes("positions"),
  );
  expect(code).toBe(130);
  expect(existsSync(plan) ? readdirSync(plan) : []).toEqual([]);
});
