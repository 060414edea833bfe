import { availableParallelism } from "node:os";
import { fail } from "../support/diagnostics.ts";
import { checkPositions } from "../plan/positions.ts";
import type { Plan } from "../plan/read-plan.ts";
import { createDevice } from "./device/device.ts";
import { openEngine } from "./engine/open.ts";
import { lockstep } from "./lockstep.ts";
import type { Call } from "./ranks/messages.ts";
import { startTeam, type Answer } from "./ranks/team.ts";

/** One sequence of a loaded plan, whose cache grows with every call. */
export type Sequence = {
  readonly vocab: number;
  readonly context: number;
  /** How many positions the cache holds. */
  readonly past: () => number;
  /**
   * Run these tokens behind the past. `sink` sees each position's logits in order; the array is valid only meanwhile.
   * Throws `run/id-range` and `run/context`, and `run/rank-lost` where one of several ranks is gone.
   */
  readonly feed: (
    ids: readonly number[],
    by: Feeding,
    sink: LogitsSink,
    routes?: RoutesSink,
  ) => Promise<void>;
  /** Forget the past and begin another sequence. */
  readonly restart: () => void;
};

/** A plan loaded and ready: a sequence, and as many more as it has groups of ranks with sequences of their own. */
export type Session = Sequence & {
  /** How many sequences run at once. */
  readonly width: number;
  /**
   * Do jobs, each on a sequence begun anew, on as many at once as there are: what each job gives, in the order of the jobs. The
   * first fault ends them all, and the session is then good for nothing but to be closed.
   */
  readonly spread: <J, R>(
    jobs: readonly J[],
    work: (sequence: Sequence, job: J, index: number) => Promise<R>,
  ) => Promise<readonly R[]>;
  readonly close: () => Promise<void>;
};

/** Through which program tokens go: many at once, or one by one. */
export type Feeding = "prefill" | "decode";

export type LogitsSink = (logits: Float32Array, position: number) => void;

/** Hears of the experts that each position goes to in each layer of experts; the array is valid only meanwhile. */
export type RoutesSink = (layer: number, experts: Int32Array, position: number) => void;

/** What runs the programs of a plan, here or in processes of its own. */
type Runner = {
  /** How many sequences it runs at once. */
  readonly width: number;
  readonly maxTokens: (by: Feeding) => Promise<number> | number;
  /** A step of every sequence; undefined is one that has nothing to do in it. */
  readonly run: (calls: readonly (Call | undefined)[]) => Promise<readonly Answer[]>;
  readonly close: () => Promise<void>;
};

/** What runs one sequence. */
const alone = (run: (call: Call) => Answer): Pick<Runner, "width" | "run"> => ({
  width: 1,
  run: ([call]) => Promise.resolve(call ? [run(call)] : []),
});

/** The engine of a plan of one rank, in this process. */
function runHere(plan: Plan, threads: number): Runner {
  const engine = openEngine(plan, 0, { threads });
  return {
    ...alone(({ by, ids, past }) => ({
      logits: engine.run(by, ids, past),
      routes: engine.routes(by, ids.length),
    })),
    maxTokens: engine.maxTokens,
    close: engine.close,
  };
}

/** The simulated device of a plan for one. */
function runOnDevice(plan: Plan): Runner {
  const device = createDevice(plan);
  return {
    ...alone(({ by, ids, past }) => device.run(by, ids, past)),
    maxTokens: (by) => device.program(by).maxTokens,
    close: async () => {},
  };
}

function runnerOf(plan: Plan, threads: number): Runner {
  if (plan.manifest.ranks.length > 1) return startTeam(plan, threads);
  return plan.manifest.machine === undefined ? runHere(plan, threads) : runOnDevice(plan);
}

/** Load a plan: into an engine here, or into one process for each of its ranks. `threads` defaults to the cores there are. */
export function openSession(plan: Plan, threads = availableParallelism()): Session {
  const { manifest } = plan;
  if (manifest.graph)
    return fail(
      "run/graph",
      { kind: "file", file: plan.dir },
      manifest.graph.inputs.map((it) => it.name).join(", "),
    );
  const runner = runnerOf(plan, threads);
  const steps = lockstep(runner.width, runner.run);
  const sequences = Array.from({ length: runner.width }, (_, lane) =>
    sequenceOf(plan, runner.maxTokens, (call) => steps.run(lane, call)),
  );
  const [first] = sequences;
  if (!first) throw new Error("a plan runs a sequence at least");
  return {
    ...first,
    width: runner.width,
    spread: async (jobs, work) => {
      const results: Awaited<ReturnType<typeof work>>[] = [];
      const queue = [...jobs.entries()];
      const lanes = [...sequences.entries()].slice(0, jobs.length);
      for (const [lane] of lanes) steps.enter(lane);
      const workOn = async ([lane, sequence]: (typeof lanes)[number]): Promise<void> => {
        try {
          for (let next = queue.shift(); next; next = queue.shift()) {
            const [index, job] = next;
            sequence.restart();
            results[index] = await work(sequence, job, index);
          }
        } catch (error) {
          steps.stop(error);
          throw error;
        } finally {
          steps.leave(lane);
        }
      };
      await Promise.all(lanes.map(workOn));
      return results;
    },
    close: runner.close,
  };
}

/** One of a plan's sequences, its calls run by `run`. */
function sequenceOf(
  { manifest }: Plan,
  maxTokens: Runner["maxTokens"],
  run: (call: Call) => Promise<Answer>,
): Sequence {
  const { vocab } = manifest.model;
  let past = 0;
  return {
    vocab,
    context: manifest.context,
    past: () => past,
    feed: async (ids, by, sink, routes) => {
      const stranger = ids.find((id) => id < 0 || id >= vocab);
      if (stranger !== undefined) fail("run/id-range", undefined, stranger, vocab);
      checkPositions(manifest, past + ids.length);
      const most = await maxTokens(by);
      for (let at = 0; at < ids.length; at += most) {
        const chunk = ids.slice(at, at + most);
        const answer = await run({ by, ids: chunk, past });
        chunk.forEach((_, i) => sink(answer.logits.subarray(i * vocab, (i + 1) * vocab), past + i));
        if (routes)
          answer.routes.forEach((chosen, layer) => {
            const k = chosen.length / chunk.length;
            chunk.forEach((_, i) => routes(layer, chosen.subarray(i * k, (i + 1) * k), past + i));
          });
        past += chunk.length;
      }
    },
    restart: () => void (past = 0),
  };
}
