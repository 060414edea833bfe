import { closeSync, existsSync, ftruncateSync, mkdtempSync, openSync, rmSync, statfsSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { placeOf, rankAt, tokenGroup, type Mesh } from "../../cluster/mesh.ts";
import type { Plan } from "../../plan/read-plan.ts";
import { writing } from "../../tensor/sink.ts";
import type { Look, Seen } from "../probe.ts";
import type { Feeding } from "../session.ts";
import { planFabric, type FabricPlan } from "./fabric.ts";
import type { Call, Report } from "./messages.ts";
import { startProcesses } from "./processes.ts";

/** The processes of all ranks of a plan, which work together. */
export type Team = {
  /** How many tokens one call takes at most. */
  readonly maxTokens: (by: Feeding) => Promise<number>;
  /** How many sequences run at once: one in each data-parallel group. */
  readonly width: number;
  /**
   * A step of all ranks, with what each group runs in it: its answer, empty where it has nothing to do and only serves the others. Throws
   * `run/rank-lost` where a process is gone, and what a rank itself throws.
   */
  readonly run: (calls: readonly (Call | undefined)[]) => Promise<readonly Answer[]>;
  /** Run ids as one sequence of the first group, and look into every rank. */
  readonly look: (ids: readonly number[], looks: readonly Look[]) => Promise<readonly Seen[]>;
  readonly close: () => Promise<void>;
};

/** Their logits, and the experts that each router of the model chose, [tokens, k]. */

export type Answer = { readonly logits: Float32Array; readonly routes: readonly Int32Array[] };

type Fed = Extract<Report, { readonly kind: "fed" }>;
type Ready = Extract<Report, { readonly kind: "ready" }>;

/** A folder in memory where the system has one with enough room, else one for temporary files. */
function sharedFolder(bytes: number): string {
  const inMemory = "/dev/shm";
  if (!existsSync(inMemory)) return tmpdir();
  const { bavail, bsize } = statfsSync(inMemory);
  return bavail * bsize > bytes ? inMemory : tmpdir();
}

function makeSized({ file, bytes }: FabricPlan): void {
  const fd = openSync(file, "w");
  ftruncateSync(fd, bytes);
  closeSync(fd);
}

/** Make the file that ranks share. It has no name any more once all have opened it, so that nothing stays behind. */
function shareFile(plan: Plan): { readonly fabric: FabricPlan; readonly remove: () => void } {
  const { bytes } = planFabric("", plan.manifest.channels);
  const folder = sharedFolder(bytes);
  const dir = writing(folder, () => mkdtempSync(join(folder, `moec-ranks-${process.pid}-`)));
  const remove = (): void => rmSync(dir, { recursive: true, force: true });
  const fabric = planFabric(join(dir, "memory"), plan.manifest.channels);
  try {
    writing(fabric.file, () => makeSized(fabric));
  } catch (error) {
    remove();
    throw error;
  }
  return { fabric, remove };
}

/** Looking again and again only pays where every thread has a core to itself. */
const spinsFor = (threads: number): number => (threads <= availableParallelism() ? 200 : 0);

/** Stages have the layers in turn; within one, the ranks that share tokens have them in turn, and any others route alike. */
function routesOf(mesh: Mesh, dp: number, reports: readonly Fed[]): readonly Int32Array[] {
  return Array.from({ length: mesh.pp }, (_, pp) => {
    const sharers = tokenGroup(mesh, { pp, dp, ep: 0, tp: 0 }).map((rank) => reports[rank]?.routes ?? []);
    return (sharers[0] ?? []).map((_, layer) =>
      Int32Array.from(sharers.flatMap((it) => [...(it[layer] ?? [])])),
    );
  }).flat();
}

/** What a group runs that has nothing to do: no tokens, which is a step that every other can take meanwhile. */
const idling: Call = { by: "prefill", ids: [], past: 0 };

/** Start a process for each rank of a plan; the threads are shared between them, one for each at least. */
export function startTeam(plan: Plan, threads: number): Team {
  const { mesh, ranks } = plan.manifest;
  const answering = Array.from({ length: mesh.dp }, (_, dp) =>
    rankAt(mesh, { pp: mesh.pp - 1, dp, ep: 0, tp: 0 }),
  );
  const each = Math.max(1, Math.floor(threads / ranks.length));
  const { fabric, remove } = shareFile(plan);
  const { ask, close } = startProcesses(ranks.length, remove);
  const started = ask<Ready>((rank) => ({
    kind: "start",
    plan: plan.dir,
    rank,
    threads: each,
    fabric,
    spins: spinsFor(each * ranks.length),
    answers: answering.includes(rank),
  })).then((reports) => {
    remove();
    return reports[0];
  });
  started.catch(() => {}); // told to whoever runs something
  return {
    width: mesh.dp,
    maxTokens: async (by) => (await started)?.maxTokens[by] ?? 1,
    run: async (calls) => {
      await started;
      const callOf = (rank: number): Call => calls[placeOf(mesh, rank).dp] ?? idling;
      const reports = await ask<Fed>((rank) => ({ kind: "feed", ...callOf(rank) }));
      return answering.map((rank, dp) => ({
        logits: reports[rank]?.logits ?? new Float32Array(0),
        routes: routesOf(mesh, dp, reports),
      }));
    },
    look: async (ids, looks) => {
      await started;
      const reports = await ask<Extract<Report, { readonly kind: "seen" }>>((rank) => ({
        kind: "look",
        ids: placeOf(mesh, rank).dp === 0 ? ids : [],
        look: looks[rank] ?? { values: [], given: new Map() },
      }));
      return reports.map((it) => it.seen);
    },
    close,
  };
}
