/** The examples in the project, run as they are written. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { root } from "../support/moec.ts";

/** A copy of what a clone holds and the examples need, so that nothing is written into the checkout. */
const clone = realpathSync(mkdtempSync(join(tmpdir(), "moec-examples-")));
const needed = ["package.json", "bin", "src", "passes", "targets", "examples", "fixtures/moe-6m"];

beforeAll(() => {
  for (const path of needed) cpSync(join(root, path), join(clone, path), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(clone, "node_modules"), "junction");
});
afterAll(() => rmSync(clone, { recursive: true }));

const env = { ...process.env, NPM_CONFIG_OFFLINE: "true" };
const run = (command: string, args: readonly string[], more: Readonly<Record<string, string>> = {}) => {
  const done = spawnSync(command, args, { cwd: clone, encoding: "utf8", env: { ...env, ...more } });
  return { code: done.status, out: done.stdout, err: done.stderr };
};

describe("the Makefile", () => {
  const make = (...args: readonly string[]) => run("make", ["-s", "-f", "examples/Makefile", ...args]);

  test("compiles and runs the bundled checkpoint, and compiles no second time", () => {
    const first = make("run");
    expect(first.code, first.err).toBe(0);
    expect(first.out).toContain("the land of Egypt");
    const made = statSync(join(clone, "build/plan/plan.json")).mtimeMs;
    expect(make("run").out).toBe(first.out);
    expect(statSync(join(clone, "build/plan/plan.json")).mtimeMs).toBe(made);
  });
  test("compiles in parts, side by side, and links them to the plan that one compile writes", () => {
    const whole = readFileSync(join(clone, "build/plan/plan.json"), "utf8");
    const linked = make("-j2", "linked", "PARTS=3", "PLAN=build/linked");
    expect(linked.code, linked.err).toBe(0);
    expect(linked.out).toContain("the land of Egypt");
    expect(readFileSync(join(clone, "build/linked/plan.json"), "utf8")).toBe(whole);
  });
  test("stops where the compile fails and leaves no stamp", () => {
    const failed = make("run", "MODEL=fixtures/nothing", "PLAN=build/none");
    expect(failed.code).toBe(2);
    expect(failed.err).toContain("checkpoint/not-found");
    expect(() => statSync(join(clone, "build/none.made"))).toThrow();
  });
});

describe("the workflow", () => {
  const workflow = v.parse(
    v.object({
      jobs: v.object({
        compile: v.object({
          env: v.record(v.string(), v.string()),
          steps: v.array(v.looseObject({ name: v.optional(v.string()), run: v.optional(v.string()) })),
        }),
      }),
    }),
    (({ jobs }: { jobs?: unknown }) => ({ jobs }))(
      parse(readFileSync(join(root, "examples/ci/moec.yml"), "utf8")) as { jobs?: unknown },
    ),
  );
  const { env: variables, steps } = workflow.jobs.compile;
  // What was installed for this checkout is what `npm ci` would install.
  const lines = steps.flatMap((step) => (step.run && step.run !== "npm ci" ? [step.run] : []));

  test("passes step by step", () => {
    expect(lines).toHaveLength(3);
    for (const line of lines) {
      const { code, err } = run("bash", ["-euo", "pipefail", "-c", line], variables);
      expect(code, `${line}\n${err}`).toBe(0);
    }
  });
});
