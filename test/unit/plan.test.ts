/** Plans on disk: whole or not there, the same bytes every time, and damage found. */
import { fork } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { compile } from "../../src/driver/compile.ts";
import { readPlan } from "../../src/plan/read-plan.ts";
import { CompileError } from "../../src/support/diagnostics.ts";
import { contents } from "../support/contents.ts";
import { moec, root } from "../support/moec.ts";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const model = join(root, "fixtures/tiny/v3");
const other = join(root, "fixtures/tiny/v2");

/** Read every weight and every file, so that every checksum is looked at. */
function readWhole(dir: string): string {
  const plan = readPlan(dir);
  for (const name of Object.keys(plan.manifest.files)) plan.read(name);
  for (const { name, bytes } of plan.manifest.weights) plan.loadWeight(name, new Uint8Array(bytes));
  return plan.manifest.data;
}

/** The code of the fault that reading a plan ends with. */
function fault(dir: string): string | undefined {
  try {
    readWhole(dir);
    return undefined;
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    return error.diagnostics[0]?.code;
  }
}

test("the same input gives the same bytes with one thread and with two", () => {
  const plans = ["1", "2"].map((threads) => {
    const dir = join(folder, `threads-${threads}`);
    // Large enough for more than one shard.
    const { code, err } = moec(["compile", "fixtures/moe-6m", "-o", dir, "--threads", threads]);
    expect(code, err).toBe(0);
    return contents(dir);
  });
  expect(Object.keys(plans[0] ?? {}).filter((name) => name.endsWith(".safetensors")).length).toBeGreaterThan(
    1,
  );
  expect(plans[1]).toEqual(plans[0]);
});

describe("a damaged plan is refused", () => {
  const whole = join(folder, "whole");
  beforeAll(() => compile(model, whole, {}));
  const files = () => readdirSync(join(whole, readPlan(whole).manifest.data));
  const broken = (breakIt: (data: string, dir: string) => void): string => {
    const dir = join(folder, "broken");
    rmSync(dir, { recursive: true, force: true });
    cpSync(whole, dir, { recursive: true });
    breakIt(join(dir, readPlan(dir).manifest.data), dir);
    return dir;
  };
  test("with any file missing", () => {
    for (const name of files())
      expect(fault(broken((data) => rmSync(join(data, name)))), name).toBe("plan/damaged");
  });
  test("with any file cut short", () => {
    for (const name of files()) {
      const dir = broken((data) => truncateSync(join(data, name), readFileSync(join(data, name)).length - 1));
      expect(fault(dir), name).toMatch(/^(plan\/damaged|safetensors\/)/);
    }
  });
  test("with a byte changed in any file", () => {
    for (const name of files()) {
      const dir = broken((data) => {
        const bytes = readFileSync(join(data, name));
        bytes.writeUInt8(bytes.readUInt8(bytes.length - 9) ^ 1, bytes.length - 9);
        writeFileSync(join(data, name), bytes);
      });
      expect(fault(dir), name).toBe("plan/damaged");
    }
  });
  test("and whole again once it is compiled again", async () => {
    for (const name of files()) {
      const dir = broken((data) => truncateSync(join(data, name), 0));
      await compile(model, dir, {});
      expect(contents(dir), name).toEqual(contents(whole));
    }
  });
  test("without plan.json, of another version, or of another kind", () => {
    const edit = (text: string) => broken((_, dir) => writeFileSync(join(dir, "plan.json"), text));
    expect(fault(broken((_, dir) => rmSync(join(dir, "plan.json"))))).toBe("plan/not-a-plan");
    expect(fault(edit('{"format":"moec-plan","version":999}'))).toBe("plan/version");
    expect(fault(edit('{"name":"a package"}'))).toBe("plan/not-a-plan");
    expect(fault(edit("{"))).toBe("plan/damaged");
  });
});

describe("a folder that is not a plan's", () => {
  test("is left as it is", async () => {
    const dir = join(folder, "thesis");
    mkdirSync(dir);
    writeFileSync(join(dir, "chapter.txt"), "years of work");
    await expect(compile(model, dir, {})).rejects.toThrow("plan/exists");
    expect(contents(dir)).toEqual({ "/chapter.txt": Buffer.from("years of work").toString("base64") });
  });
});

test("a compile that fails leaves nothing", async () => {
  const [source, dir] = [join(folder, "short"), join(folder, "none")];
  cpSync(model, source, { recursive: true });
  const shard = readdirSync(source).find(
    (name) => name.endsWith(".safetensors") && name !== "golden.safetensors",
  );
  truncateSync(join(source, shard ?? ""), 1000);
  await expect(compile(source, dir, {})).rejects.toThrow(CompileError);
  expect(existsSync(dir)).toBe(false);
});

describe("a compile killed at any moment", () => {
  /** Compile in a process of its own and kill it after so many milliseconds. */
  const killed = (source: string, dir: string, ms: number): Promise<void> =>
    new Promise((resolve) => {
      const child = fork(join(root, "bin/moec.js"), ["compile", source, "-o", dir, "--quiet"]);
      const timer = setTimeout(() => child.kill("SIGKILL"), ms);
      child.on("exit", () => {
        clearTimeout(timer);
        resolve();
      });
    });

  test("leaves the old plan or the new one, whole", async () => {
    const dir = join(folder, "killed");
    await compile(other, dir, {});
    const old = readWhole(dir);
    const fresh = join(folder, "fresh");
    await compile(model, fresh, {});
    const wanted = readWhole(fresh);
    // From before the first file is touched to after the last.
    for (const ms of [250, 400, 450, 500, 550, 600, 650, 700, 800, 1000]) {
      await killed(model, dir, ms);
      expect([old, wanted]).toContain(readWhole(dir));
    }
    await compile(model, dir, {});
    expect(contents(dir)).toEqual(contents(fresh));
  });
  test("leaves no plan where there was none, or a whole one", async () => {
    for (const ms of [300, 500, 600, 700]) {
      const dir = join(folder, `new-${ms}`);
      await killed(model, dir, ms);
      if (existsSync(join(dir, "plan.json"))) expect(fault(dir)).toBeUndefined();
      else expect(() => readPlan(dir)).toThrow("plan/not-a-plan");
    }
  });
});
