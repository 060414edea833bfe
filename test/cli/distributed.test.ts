/** Compiles spread over machines by the example scripts: the plan is, to the byte, that of one compile. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { contents } from "../support/contents.ts";
import { executable, moec, root } from "../support/moec.ts";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const flags = ["--quant", "int4-g32", "--parallel", "dp2xep2"];
const whole = join(folder, "whole");

beforeAll(() => {
  const { code, err } = moec(["compile", "fixtures/moe-6m", "-o", whole, "--quiet", ...flags]);
  expect(code, err).toBe(0);
});

const run = (command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
  const MOEC = `${process.execPath} ${executable}`;
  const done = spawnSync(command, args, { cwd: root, encoding: "utf8", env: { ...process.env, MOEC, ...env } });
  return { code: done.status, err: done.stderr };
}; // prettier-ignore

test("the jobs of a Slurm array", () => {
  const plan = join(folder, "slurm");
  for (const part of ["1", "2", "3"]) {
    const env = { SLURM_ARRAY_TASK_ID: part, SLURM_ARRAY_TASK_COUNT: "3", SLURM_CPUS_PER_TASK: "1" };
    const { code, err } = run("bash", ["examples/slurm/compile.sbatch", "fixtures/moe-6m", plan, ...flags], env); // prettier-ignore
    expect(code, err).toBe(0);
  }
  const { code, err } = run("bash", ["examples/slurm/link.sbatch", plan]);
  expect(code, err).toBe(0);
  expect(contents(plan)).toEqual(contents(whole));
});

const python = process.env["MOEC_PYTHON"] ?? "python3";

test("the tasks of a Ray cluster", ({ skip }) => {
  if (run(python, ["-c", "import ray"]).code !== 0)
    skip(`${python} has no ray (MOEC_PYTHON says which Python to use; pip install ray)`);
  const plan = join(folder, "ray");
  const script = "examples/ray/compile.py";
  const made = run(python, [script, "fixtures/moe-6m", plan, "--parts", "3", ...flags]);
  expect(made.code, made.err).toBe(0);
  expect(contents(plan)).toEqual(contents(whole));
  const refused = run(python, [script, "fixtures/nothing", join(folder, "none"), "--parts", "2"]);
  expect(refused.err).toContain("checkpoint/not-found");
  expect(refused.code).toBe(3);
}, 120_000);
