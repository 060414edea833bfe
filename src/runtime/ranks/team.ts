import { fork, type ChildProcess } from "node:child_process";
import { closeSync, existsSync, ftruncateSync, mkdtempSync, openSync, rmSync, statfsSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plan } from "../../plan/read-plan.ts";
import { CompileError, diag } from "../../support/diagnostics.ts";
import { siblingModule } from "../../support/sibling-module.ts";
import type { Feeding } from "../session.ts";
import { planFabric, type FabricPlan } from "./fabric.ts";
import type { Order, Report } from "./messages.ts";

/** The processes of all ranks of a plan, which work together. */
export type Team = {
  /** How many tokens one call takes at most. */
  readonly maxTokens: (by: Feeding) => Promise<number>;
  /**
   * Run tokens at positions past, past+1, …: their logits, and the experts that each router of the model chose, [tokens, k]. Throws
   * `run/rank-lost` where a process is gone, and what a rank itself throws.
   */
  readonly run: (by: Feeding, ids: readonly number[], past: number) => Promise<Answer>;
  readonly close: () => Promise<void>;
};

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

/** Make the file that ranks share. It has no name any more once all have opened it, so that nothing stays behind. */
function shareFile(plan: Plan): { readonly fabric: FabricPlan; readonly remove: () => void } {
  const { bytes } = planFabric("", plan.manifest.channels);
  const dir = mkdtempSync(join(sharedFolder(bytes), `moec-ranks-${process.pid}-`));
  const fabric = planFabric(join(dir, "memory"), plan.manifest.channels);
  const fd = openSync(fabric.file, "w");
  ftruncateSync(fd, bytes);
  closeSync(fd);
  return { fabric, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** Looking again and again only pays where every thread has a core to itself. */
const spinsFor = (threads: number): number => (threads <= availableParallelism() ? 200 : 0);

/** Start a process for each rank of a plan; the threads are shared between them, one for each at least. */
export function startTeam(plan: Plan, threads: number): Team {
  const { mesh, ranks } = plan.manifest;
  const perStage = mesh.ep * mesh.tp;
  const answering = (mesh.pp - 1) * perStage;
  const each = Math.max(1, Math.floor(threads / ranks.length));
  const { fabric, remove } = shareFile(plan);
  const module = fileURLToPath(siblingModule("./rank.ts", import.meta.url));
  let lost: CompileError | Error | undefined;
  let closing = false;
  /** Who waits for what each rank says next. */
  let waiting:
    | { readonly heard: (rank: number, report: Report) => void; readonly failed: (error: Error) => void }
    | undefined;

  const children: ChildProcess[] = [];
  const end = (): void => {
    for (const child of children) child.kill("SIGKILL");
    remove();
  };
  const fail = (error: Error): void => {
    if (lost || closing) return;
    lost = error;
    end();
    waiting?.failed(error);
  };
  const hear = (rank: number, report: Report): void => {
    if (report.kind !== "failed") return waiting?.heard(rank, report);
    fail(
      report.diagnostics.length > 0
        ? new CompileError(report.diagnostics)
        : new Error(`rank ${rank}: ${report.fault}`),
    );
  };
  process.once("exit", end);
  for (const rank of ranks.keys()) {
    // Under a test runner or a loader of its own the parent has flags that are not the rank's business.
    const child = fork(module, {
      execArgv: [],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    children.push(child);
    child.on("message", (report: Report) => hear(rank, report)); // said by rank.ts in this package
    // One that is gone fails to be told something, and then exits; only one that never was does not.
    child.on("error", (error) => child.pid === undefined && fail(error));
    child.on("exit", (code, signal) =>
      fail(
        new CompileError([
          diag("run/rank-lost", undefined, rank, signal ? `signal ${signal}` : `exit code ${code}`),
        ]),
      ),
    );
  }

  /** Give each rank an order and wait for what all say to it. */
  const ask = <R extends Report>(order: (rank: number) => Order): Promise<readonly R[]> =>
    new Promise((resolve, reject) => {
      if (lost) return reject(lost);
      const reports: R[] = [];
      let missing = ranks.length;
      const settled = (): void => void (waiting = undefined);
      waiting = {
        heard: (rank, report) => {
          reports[rank] = report as R; // a rank answers an order with the report for it
          if (--missing > 0) return;
          settled();
          resolve(reports);
        },
        failed: (error) => {
          settled();
          reject(error);
        },
      };
      children.forEach((child, rank) => child.send(order(rank), () => {}));
    });

  const started = ask<Ready>((rank) => ({
    kind: "start",
    plan: plan.dir,
    rank,
    threads: each,
    fabric,
    spins: spinsFor(each * ranks.length),
    answers: rank === answering,
  })).then((reports) => {
    remove();
    return reports[0];
  });
  started.catch(() => {}); // told to whoever runs something

  /** Stages have the layers in turn; within one, expert ranks have the tokens in turn. Tensor ranks route alike. */
  const routesOf = (reports: readonly Fed[]): readonly Int32Array[] =>
    Array.from({ length: mesh.pp }, (_, stage) => {
      const sharers = Array.from(
        { length: mesh.ep },
        (_, ep) => reports[stage * perStage + ep * mesh.tp]?.routes ?? [],
      );
      return (sharers[0] ?? []).map((_, layer) =>
        Int32Array.from(sharers.flatMap((it) => [...(it[layer] ?? [])])),
      );
    }).flat();

  return {
    maxTokens: async (by) => (await started)?.maxTokens[by] ?? 1,
    run: async (by, ids, past) => {
      await started;
      const reports = await ask<Fed>(() => ({ kind: "feed", by, ids, past }));
      return { logits: reports[answering]?.logits ?? new Float32Array(0), routes: routesOf(reports) };
    },
    close: async () => {
      closing = true;
      const gone = children
        .filter((child) => child.exitCode === null && child.signalCode === null)
        .map((child) => new Promise((resolve) => child.once("exit", resolve)));
      for (const child of children)
        if (child.connected) child.send({ kind: "close" } satisfies Order, () => {});
      const timer = setTimeout(end, 2000); // one that is in the middle of something does not hear
      await Promise.all(gone);
      clearTimeout(timer);
      process.off("exit", end);
      remove();
    },
  };
}
