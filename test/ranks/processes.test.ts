/** Plans of many ranks as a user runs them: one process a rank, each with its shard, which live and die together. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import { expect, test } from "vitest";
import { compile, type CompileOptions } from "../../src/driver/compile.ts";
import { formatExpertMap } from "../../src/cluster/expert-map.ts";
import { parseMesh } from "../../src/cluster/mesh.ts";
import { weightNames } from "../../src/plan/program/program.ts";
import { readPlan } from "../../src/plan/read-plan.ts";
import { perplexity } from "../../src/runtime/eval/perplexity.ts";
import { recordRoutes } from "../../src/runtime/eval/record-routes.ts";
import { openSession, type Session } from "../../src/runtime/session.ts";
import { readGolden } from "../support/checkpoints.ts";
import { executable, moec, root } from "../support/moec.ts";
import { tempFolder } from "../support/temp.ts";

const temp = tempFolder();
const trained = join(root, "fixtures/moe-6m");
const tiny = join(root, "fixtures/tiny/v3");

async function compiled(model: string, mesh: string, redundantExperts = 0, more: CompileOptions = {}) {
  const dir = join(temp, `${mesh}-${redundantExperts}`);
  await compile(model, dir, { ...more, parallel: { mesh: parseMesh(mesh), redundantExperts } });
  return dir;
}

test("the trained model on expert and tensor ranks writes what transformers writes", async () => {
  const schema = v.object({
    generate: v.array(v.looseObject({ prompt: v.string(), greedy_ids: v.array(v.number()) })),
  });
  const [golden] = v.parse(schema, JSON.parse(readFileSync(join(trained, "golden.json"), "utf8"))).generate;
  const dir = await compiled(trained, "tp2xep2", 4);
  const { out, code } = moec(["run", dir, "--prompt", golden?.prompt ?? "", "-n", "12", "--json"]);
  expect(code).toBe(0);
  const { ids } = v.parse(v.looseObject({ ids: v.array(v.number()) }), JSON.parse(out));
  expect(ids).toEqual(golden?.greedy_ids.slice(0, 12));
});

test("prompts run at once on groups of their own, and are answered in their order", async () => {
  const schema = v.object({
    generate: v.array(v.looseObject({ prompt: v.string(), greedy_ids: v.array(v.number()) })),
  });
  const golden = v.parse(schema, JSON.parse(readFileSync(join(trained, "golden.json"), "utf8"))).generate;
  const dir = await compiled(trained, "dp2");
  const prompts = golden.slice(0, 3).flatMap(({ prompt }) => ["--prompt", prompt]);
  const { out, code, err } = moec(["run", dir, ...prompts, "-n", "8", "--json"]);
  expect(code, err).toBe(0);
  const told = v.object({ answers: v.array(v.looseObject({ ids: v.array(v.number()) })) });
  expect(v.parse(told, JSON.parse(out)).answers.map((it) => it.ids)).toEqual(
    golden.slice(0, 3).map((it) => it.greedy_ids.slice(0, 8)),
  );
  // One that is too long ends the others with it.
  const long = Array.from({ length: 5000 }, () => 7).join();
  const refused = moec(["run", dir, "--ids", "5", "--ids", long, "-n", "4000"]);
  expect(refused.code).toBe(2);
  expect(refused.err).toContain("error[run/context]: 5,000 positions are needed");
});

test("groups with sequences of their own give the golden logits, whatever the others are at", async () => {
  const dir = await compiled(tiny, "dp2xep2", 8, { batchTokens: 24 });
  const golden = readGolden(tiny);
  const session = openSession(readPlan(dir));
  try {
    // One sequence is fed at once while another comes token by token, and the last has the ranks to itself.
    const worst = await session.spread(golden.prompts, async (sequence, prompt, k) => {
      const expected = golden.logits(k);
      let most = 0;
      await sequence.feed(prompt, k % 2 === 0 ? "prefill" : "decode", (logits, position) =>
        logits.forEach((x, i) => {
          most = Math.max(most, Math.abs(x - (expected[position * session.vocab + i] ?? NaN)));
        }),
      );
      return most;
    });
    expect(worst.length).toBe(golden.prompts.length);
    for (const it of worst) expect(it).toBeLessThan(5e-4);
    // Windows of a text, more of them than groups, are scored and routed as on one device.
    const windows = [3, 10, 17].map((first) => Array.from({ length: 5 }, (_, i) => first + 9 * i));
    const alone = openSession(readPlan(await compiled(tiny, "tp1")), 1);
    const [found, expected] = [await perplexity(session, windows), await perplexity(alone, windows)];
    expect(found.perplexity / expected.perplexity).toBeCloseTo(1, 5);
    const routes = async (of: Session) => recordRoutes(of, windows, () => {});
    expect(await routes(session)).toEqual(await routes(alone));
    await alone.close();
  } finally {
    await session.close();
  }
});

test("stages and expert ranks give the golden logits, and tell where every token went", async () => {
  // Prompts are longer than 24 tokens, so that prefill takes more than one call.
  const dir = await compiled(tiny, "pp2xep3", 2, { batchTokens: 24 });
  const single = join(temp, "single");
  await compile(tiny, single, {});
  const golden = readGolden(tiny);
  const [session, alone] = [openSession(readPlan(dir)), openSession(readPlan(single), 1)];
  try {
    for (const by of ["prefill", "decode"] as const)
      for (const [k, prompt] of golden.prompts.entries()) {
        const expected = golden.logits(k);
        const routes: string[][] = [[], []];
        session.restart();
        await session.feed(
          prompt,
          by,
          (logits, position) =>
            logits.forEach((x, i) =>
              expect(Math.abs(x - (expected[position * session.vocab + i] ?? NaN))).toBeLessThan(5e-4),
            ),
          (layer, experts, position) => routes[0]?.push(`${position} ${layer} ${[...experts].join()}`),
        );
        alone.restart();
        await alone.feed(
          prompt,
          by,
          () => {},
          (layer, experts, position) => routes[1]?.push(`${position} ${layer} ${[...experts].join()}`),
        );
        expect(routes[0]?.length).toBeGreaterThan(0);
        expect(routes[0]?.sort()).toEqual(routes[1]?.sort());
      }
  } finally {
    await session.close();
    await alone.close();
  }
});

test("each rank loads its own experts only, and what ranks share is on disk once", async () => {
  const [whole, cut] = [await compiled(tiny, "tp1"), await compiled(tiny, "ep4")];
  const bytes = (dir: string) => readPlan(dir).manifest.weights.reduce((n, w) => n + w.bytes, 0);
  expect(bytes(cut) / bytes(whole)).toBeLessThan(1.05);
  const { manifest, programs } = readPlan(cut);
  const experts = manifest.ranks.map((_, rank) =>
    [...weightNames(programs(rank))].filter((name) => name.includes(".experts.")),
  );
  expect(experts.every((names) => names.length > 0)).toBe(true);
  expect(new Set(experts.flat()).size).toBe(experts.flat().length);
});

test("a placement of the user's own decides who holds which experts", async () => {
  const file = join(temp, "map.json");
  // Sixteen experts on three ranks, one of them on two; one rank holds next to nothing.
  const layer = [[7, 0, 5, 2, 9, 10, 11, 12], [3], [1, 4, 6, 3, 8, 13, 14, 15]];
  const write = (layers: readonly unknown[]) =>
    writeFileSync(file, formatExpertMap({ experts: 16, ranks: 3, layers: layers as never }, "by hand"));
  const { layers } = readPlan(await compiled(tiny, "tp1")).manifest.model;
  const args = ["compile", tiny, "-o", join(temp, "placed"), "--parallel", "dp3", "--placement", file];
  write([layer]);
  expect(moec(args)).toMatchObject({
    code: 2,
    err: expect.stringContaining("error[cluster/placement]") as string,
  });
  write(Array.from({ length: layers - 1 }, () => layer));
  expect(moec(args).code).toBe(0);
  const text = readFileSync(readPlan(join(temp, "placed")).file("rank-1.mir"), "utf8");
  expect(text).toContain(
    "held=[7, 0, 5, 2, 9, 10, 11, 12, 3, 1, 4, 6, 3, 8, 13, 14, 15], starts=[0, 8, 9, 17]",
  );
  const golden = readGolden(tiny);
  const session = openSession(readPlan(join(temp, "placed")));
  try {
    const expected = golden.logits(0);
    await session.feed(golden.prompts[0] ?? [], "prefill", (logits, position) =>
      logits.forEach((x, i) =>
        expect(Math.abs(x - (expected[position * session.vocab + i] ?? NaN))).toBeLessThan(5e-4),
      ),
    );
  } finally {
    await session.close();
  }
});

/** The processes that a process has started, as Linux tells them. */
const childrenOf = (pid: number): readonly number[] =>
  readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
const isAlive = (pid: number): boolean =>
  existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));

/** A long run, and its ranks' processes once it has begun to write. */
async function longRun(
  mesh: string,
): Promise<{ readonly run: ChildProcess; readonly ranks: readonly number[] }> {
  const dir = await compiled(trained, mesh);
  const run = spawn(process.execPath, [executable, "run", dir, "--ids", "0,37,272", "-n", "4000"]);
  if (run.stdout) await once(run.stdout, "data");
  return { run, ranks: childrenOf(run.pid ?? 0) };
}

/** What a process has left in the folder for shared memory. */
const leftovers = ({ pid }: ChildProcess): readonly string[] =>
  readdirSync("/dev/shm").filter((name) => name.startsWith(`moec-ranks-${pid}-`));

test.runIf(process.platform === "linux")("a rank killed in mid-run ends the whole run", async () => {
  // The killed one has no sequence, and only serves experts.
  const { run, ranks } = await longRun("dp3");
  expect(ranks.length).toBe(3);
  let err = "";
  run.stderr?.on("data", (text) => (err += String(text)));
  const killed = performance.now();
  process.kill(ranks[1] ?? 0, "SIGKILL");
  const [code] = (await once(run, "exit")) as [number];
  expect(performance.now() - killed).toBeLessThan(5000);
  expect(code).toBe(1);
  expect(err).toContain("error[run/rank-lost]: the process of rank 1 ended (signal SIGKILL)");
  expect(ranks.filter(isAlive)).toEqual([]);
  expect(leftovers(run)).toEqual([]);
});

test.runIf(process.platform === "linux")(
  "ranks whose parent is killed leave, wherever they wait",
  async () => {
    const { run, ranks } = await longRun("ep3");
    process.kill(run.pid ?? 0, "SIGKILL");
    const killed = performance.now();
    while (ranks.some(isAlive) && performance.now() - killed < 5000) await sleep(20);
    expect(ranks.filter(isAlive)).toEqual([]);
    expect(leftovers(run)).toEqual([]);
  },
);
