import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { CompileError, diag } from "../../support/diagnostics.ts";
import { siblingModule } from "../../support/sibling-module.ts";
import type { Order, Report } from "./messages.ts";

/** Processes of ranks that live and die together. */
export type Processes = {
  /** Give each rank an order and wait for what all say to it. Throws `run/rank-lost` where one has ended, and what a rank throws. */
  readonly ask: <R extends Report>(order: (rank: number) => Order) => Promise<readonly R[]>;
  readonly close: () => Promise<void>;
};

/** Who waits for what each rank says next. */
type Listener = {
  readonly heard: (rank: number, report: Report) => void;
  readonly failed: (error: Error) => void;
};

/** A process that runs rank.ts. Under a test runner or a loader the parent has flags that are not the rank's business. */
const startRank = (): ChildProcess =>
  fork(fileURLToPath(siblingModule("./rank.ts", import.meta.url)), {
    execArgv: [],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });

const isRunning = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;

/** How long one has that is told to close; in the middle of something it does not hear. */
const patienceMs = 2000;

/** Start so many ranks. `onEnd` is called when they are gone, however that comes. */
export function startProcesses(count: number, onEnd: () => void): Processes {
  const children: ChildProcess[] = [];
  let lost: Error | undefined;
  let closing = false;
  let listener: Listener | undefined;
  const end = (): void => {
    for (const child of children) child.kill("SIGKILL");
    onEnd();
  };
  const fail = (error: Error): void => {
    if (lost || closing) return;
    lost = error;
    end();
    listener?.failed(error);
  };
  const hear = (rank: number, report: Report): void => {
    if (report.kind !== "failed") return listener?.heard(rank, report);
    const { diagnostics, fault } = report;
    fail(diagnostics.length > 0 ? new CompileError(diagnostics) : new Error(`rank ${rank}: ${fault}`));
  };
  process.once("exit", end);
  for (let rank = 0; rank < count; rank++) {
    const child = startRank();
    children.push(child);
    child.on("message", (report: Report) => hear(rank, report)); // said by rank.ts in this package
    // One that is gone fails to be told something, and then exits; only one that never was does not.
    child.on("error", (error) => child.pid === undefined && fail(error));
    child.on("exit", (code, signal) => {
      const how = signal ? `signal ${signal}` : `exit code ${code}`;
      fail(new CompileError([diag("run/rank-lost", undefined, rank, how)]));
    });
  }
  return {
    ask: <R extends Report>(order: (rank: number) => Order) =>
      new Promise<readonly R[]>((resolve, reject) => {
        if (lost) return reject(lost);
        const reports: R[] = [];
        let missing = count;
        listener = {
          heard: (rank, report) => {
            reports[rank] = report as R; // a rank answers an order with the report for it
            if (--missing === 0) resolve(reports);
          },
          failed: reject,
        };
        children.forEach((child, rank) => child.send(order(rank), () => {}));
      }),
    close: async () => {
      closing = true;
      const gone = children
        .filter(isRunning)
        .map((child) => new Promise((resolve) => child.once("exit", resolve)));
      for (const child of children)
        if (child.connected) child.send({ kind: "close" } satisfies Order, () => {});
      const timer = setTimeout(end, patienceMs);
      await Promise.all(gone);
      clearTimeout(timer);
      process.off("exit", end);
      onEnd();
    },
  };
}
