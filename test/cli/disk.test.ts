/** What the system refuses to write is told, and costs nothing that was there. A limit on the size of files stands for a full disk. */
import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"; // prettier-ignore
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { contents } from "../support/contents.ts";
import { executable, moec, root, type Outcome } from "../support/moec.ts";
import { tempFolder } from "../support/temp.ts";

const temp = tempFolder();
const cache = { XDG_CACHE_HOME: join(temp, "cache") };

/** Run moec where no file may grow beyond so many blocks of 512 bytes. */
function within(blocks: number, args: readonly string[], into = ""): Outcome {
  const script = `ulimit -f ${blocks} && exec "$0" "$@" ${into}`;
  const done = spawnSync("sh", ["-c", script, process.execPath, executable, ...args], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, ...cache },
  });
  return { code: done.status, out: done.stdout, err: done.stderr };
}

const refused = (file: string) => [
  2,
  expect.stringMatching(new RegExp(`^error\\[plan/write\\]: cannot write ${file}.*: file too large \\(EFBIG\\)\n  --> .*\n  hint: raise the limit`)), // prettier-ignore
];

const tiny = ["fixtures/tiny/v3", "--quiet", "--context", "64", "--tune", "1"];
const device = join(temp, "device");
beforeAll(() => {
  const { code } = moec(["compile", ...tiny, "--target", "ascend-910b3", "-o", device], { env: cache }); // prettier-ignore
  expect(code).toBe(0);
});

describe("a plan that the disk does not take leaves the plan that was there and nothing else", () => {
  const models = [
    ["of several files of weights, written by threads", ["fixtures/moe-6m", "--quiet", "--threads", "2"], 4000], // prettier-ignore
    ["of one file of weights", tiny, 1],
    ["for a device", [...tiny, "--target", "ascend-910b3"], 100],
    ["of a part", [...tiny, "--part", "1/2"], 1],
  ] as const;
  test.for(models)("%s", ([, args, blocks]) => {
    const before = contents(device);
    const anew = join(temp, "anew");
    for (const dir of [device, anew]) {
      const { code, err } = within(blocks, ["compile", ...args, "-o", dir]);
      expect([code, err]).toEqual(refused(dir));
    }
    expect(contents(device)).toEqual(before);
    expect(existsSync(anew)).toBe(false);
  });

  test("that parts are linked to", () => {
    const part = join(temp, "part");
    expect(moec(["compile", ...tiny, "--part", "1/1", "-o", part]).code).toBe(0);
    const before = contents(device);
    const { code, err } = within(0, ["link", part, "-o", device]);
    expect([code, err]).toEqual(refused(device));
    expect(contents(device)).toEqual(before);
  });
});

test("tiles that the disk does not take are forgotten, and stop no compile", () => {
  const tiles = join(temp, "tiles");
  const { code, err } = within(0, ["compile", ...tiny, "--target", "ascend-910b3", "--dry-run", "--tile-cache", tiles]); // prettier-ignore
  expect([code, err]).toEqual([0, expect.stringContaining(`warning: the tile cache ${tiles} cannot be used: file too large (EFBIG)`)]); // prettier-ignore
});

test("a folder that cannot be made is told, wherever it is", () => {
  const file = join(temp, "file");
  writeFileSync(file, "mine");
  for (const dir of [join(file, "plan"), "/proc/nope/plan"])
    expect(within(0, ["compile", ...tiny, "-o", dir]).err).toContain(
      `error[plan/write]: cannot write ${dir}`,
    );
  expect(readFileSync(file, "utf8")).toBe("mine");
});

describe("a file that the disk does not take leaves the one that was there", () => {
  const file = join(temp, "output");
  const commands: readonly (readonly string[])[] = [
    ["report", device, "-o", file],
    ["simulate", device, "--tokens", "1", "--trace", file],
    ["run", device, "--ids", "1,2", "-n", "1", "--logits", file],
    ["launch", "fixtures/moe-6m", "--cluster", "1x8 ascend-910b3", "-o", file],
  ];
  test.for(commands)("of moec %s", (args) => {
    writeFileSync(file, "what was there");
    const { code, err } = within(0, args);
    expect([code, err]).toEqual(refused(file));
    expect(readFileSync(file, "utf8")).toBe("what was there");
    expect(readdirSync(temp).filter((it) => it.includes(".partial"))).toEqual([]);
    expect(moec(args).code).toBe(0);
    expect(readFileSync(file, "utf8")).not.toBe("what was there");
  });

  test("of the kernels for Huawei's compiler", () => {
    const dir = join(temp, "mlir");
    const { code, err } = within(0, ["compile", ...tiny, "--target", "ascend-910b3", "--emit", "mlir", "--emit-dir", dir]); // prettier-ignore
    expect([code, err]).toEqual(refused(dir));
    expect(readdirSync(dir)).toEqual([]);
  });
});

test("a file is written through a link, and to a device as it comes", () => {
  const [real, link] = [join(temp, "real"), join(temp, "link")];
  const script = (output: string) => within(1000, ["launch", "fixtures/moe-6m", "--cluster", "1x8 ascend-910b3", "-o", output], "| cat"); // prettier-ignore
  writeFileSync(real, "");
  symlinkSync(real, link);
  expect([script(link).code, lstatSync(link).isSymbolicLink()]).toEqual([0, true]);
  expect(script("/dev/stdout").out).toBe(readFileSync(real, "utf8"));
  expect([script("/dev/null").code, lstatSync("/dev/null").isFile()]).toEqual([0, false]);
});

test("standard output that no longer takes what is said ends in a diagnostic", () => {
  const file = join(temp, "targets.json");
  const { code, err } = within(1, ["targets", "ascend-910b3", "--json"], `> '${file}'`);
  expect([code, err]).toEqual(refused("standard output"));
  expect(within(1, ["--version"], `> '${file}'`).code).toBe(0);
});

test.runIf(existsSync("/dev/full"))(
  "a full device behind standard output or error is no fault of moec",
  () => {
    const full = within(1, ["targets"], "> /dev/full");
    expect([full.code, full.err]).toEqual([2, expect.stringContaining("cannot write standard output: no space left on device (ENOSPC)")]); // prettier-ignore
    expect(within(1, ["targets", "nope"], "2> /dev/full").code).toBe(2);
  },
);
