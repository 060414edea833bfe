import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { commands } from "../../src/cli/commands.ts";
import { failureOf } from "../../src/cli/errors.ts";
import { main } from "../../src/cli/main.ts";
import { diag, CompileError } from "../../src/support/diagnostics.ts";
import { noPaint } from "../../src/support/log.ts";
import { moec } from "../support/moec.ts";

/** Run a command line inside this process. */
async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = "";
  let err = "";
  const code = await main(argv, {
    out: (text) => (out += text),
    err: (text) => (err += text),
    terminal: false,
    env: {},
  });
  return { code, out, err };
}

describe("help", () => {
  test("names every command, on standard output", async () => {
    const { code, out, err } = await run("--help");
    expect(code).toBe(0);
    expect(err).toBe("");
    for (const { name, summary } of commands)
      expect(out).toMatch(new RegExp(`^  ${name}\\b.*${summary}`, "m"));
  });
  test("an empty command line gets it on standard error and exit code 2", async () => {
    const { code, out, err } = await run();
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain("Usage: moec");
  });
  test.each(commands.map((it) => it.name))("of %s shows its options and examples", async (name) => {
    const { code, out } = await run(name, "--help");
    expect(code).toBe(0);
    for (const text of [`Usage: moec ${name}`, "--json", "--quiet", "--no-color", `$ moec ${name}`]) {
      expect(out).toContain(text);
    }
  });
  test.each(commands)("the table and the declaration of $name agree", async (entry) => {
    const { name, summary } = await entry.load();
    expect({ name, summary }).toEqual({ name: entry.name, summary: entry.summary });
  });
});

describe("usage faults end with exit code 2", () => {
  test("an unknown command", async () => {
    const { code, out, err } = await run("complete");
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain("unknown command 'complete'");
  });
  test("a misspelt command names the near one", async () => {
    expect((await run("completoin")).err).toContain("did you mean completion?");
  });
  test("a misspelt flag names the near one", async () => {
    const { code, err } = await run("completion", "bash", "--quite");
    expect(code).toBe(2);
    expect(err).toContain("hint: did you mean --quiet?");
  });
  test("with --json standard output holds one document", async () => {
    const { code, out } = await run("completion", "tcsh", "--json");
    expect(code).toBe(2);
    expect(JSON.parse(out)).toEqual({
      error: [
        {
          code: "usage/command-line",
          message: expect.stringContaining("tcsh"),
          where: null,
          hint: expect.any(String),
        },
      ],
    });
  });
});

describe("failures", () => {
  test("the first diagnostic decides the exit code, and all are shown", () => {
    const first = diag("run/memory", undefined, 2, 1);
    const second = diag("usage/missing", { kind: "flag", flag: "--prompt" }, "a prompt");
    const { exit, text, json } = failureOf(new CompileError([first, second]), noPaint);
    expect(exit).toBe(4);
    expect(text).toContain("error[run/memory]: the plan needs 2 bytes");
    expect(text).toContain("error[usage/missing]: a prompt is missing\n  --> --prompt");
    expect(JSON.parse(json)).toMatchObject({
      error: [{ code: "run/memory" }, { where: { kind: "flag", flag: "--prompt" }, hint: null }],
    });
  });
  test("anything else thrown is a fault of moec's own, with its stack", () => {
    const { exit, text } = failureOf(new TypeError("x is not a function"), noPaint);
    expect(exit).toBe(1);
    expect(text).toMatch(/this is a fault of moec's own.*\n.*TypeError: x is not a function\n +at /);
  });
});

describe("completion", () => {
  test.each(["bash", "zsh", "fish"])("%s offers every command", async (shell) => {
    const { code, out } = await run("completion", shell);
    expect(code).toBe(0);
    for (const { name } of commands) expect(out).toContain(name);
    expect(out).toContain("quiet");
  });
  test("bash completes a word", async ({ skip }) => {
    if (spawnSync("bash", ["-c", ":"]).status !== 0) skip("there is no bash here");
    const { out } = await run("completion", "bash");
    const ask = `${out}\nCOMP_WORDS=(moec completion f); COMP_CWORD=2; _moec; echo "\${COMPREPLY[@]}"`;
    expect(spawnSync("bash", ["-c", ask], { encoding: "utf8" }).stdout.trim()).toBe("fish");
  });
});

describe("the process", () => {
  test("prints its version", () => {
    expect(moec(["--version"])).toEqual({ code: 0, out: "0.1.0\n", err: "" });
  });
  test("keeps quiet when its reader leaves", async ({ skip }) => {
    if (spawnSync("bash", ["-c", ":"]).status !== 0) skip("there is no bash here");
    const line = `"$0" bin/moec.js completion bash | true; echo "\${PIPESTATUS[0]}"`;
    const done = spawnSync("bash", ["-c", line, process.execPath], { encoding: "utf8" });
    expect({ out: done.stdout, err: done.stderr }).toEqual({ out: "0\n", err: "" });
  });
});
