import type { Func } from "../ir/graph.ts";
import type { Recipe } from "../tensor/recipe.ts";
import { collectives, type Collective, type Member, type SharedName } from "./kernels/collective.ts";
import { steps, type Pause } from "./interpret.ts";
import type { Tensor } from "./tensor.ts";

/** One rank's function and what goes into it. */
export type RankRun = { readonly func: Func; readonly inputs: ReadonlyMap<string, Tensor> };

type Outcome = ReadonlyMap<string, Tensor>;
type Waiting = Pause & { readonly rank: number };

const groupOf = ({ node }: Pause): readonly number[] => node.attrs["group"] as number[]; // every collective has one

/** The results of a collective for each of its members, or undefined while some have not come. */
function meet(
  first: Waiting,
  waiting: ReadonlyMap<number, Waiting>,
): ReadonlyMap<number, readonly Tensor[]> | undefined {
  const group = groupOf(first);
  const members = group.flatMap((rank) => waiting.get(rank) ?? []);
  const isHere =
    members.length === group.length && members.every((it) => String(groupOf(it)) === String(group));
  if (!isHere) return undefined;
  const { op } = first.node;
  if (op === "send" || op === "recv") {
    const [sender, receiver] = members;
    if (sender?.node.op !== "send" || receiver?.node.op !== "recv") return undefined;
    return new Map(members.map(({ rank }) => [rank, sender.operands]));
  }
  if (members.some(({ node }) => node.op !== op)) return undefined;
  const shared = collectives[op as SharedName] as Collective<never>; // no other operators stop a run
  const results = shared(members as readonly Member<never>[]);
  return new Map(group.map((rank, i) => [rank, results[i] ?? []]));
}

/**
 * Run the functions of all ranks, each until it needs the others. Gives each rank's results; ranks that wait for what never
 * comes are a fault.
 */
export function interpretRanks(
  runs: readonly RankRun[],
  weight: (recipe: Recipe) => Tensor,
): readonly Outcome[] {
  const live = runs.map(({ func, inputs }) => steps(func, inputs, weight));
  const outcomes: Outcome[] = [];
  const waiting = new Map<number, Waiting>();
  const take = (rank: number, step: IteratorResult<Pause, Outcome> | undefined): void => {
    if (step?.done) outcomes[rank] = step.value;
    else if (step) waiting.set(rank, { ...step.value, rank });
  };
  live.forEach((run, rank) => take(rank, run.next()));
  while (waiting.size > 0) {
    const met = [...waiting.values()].map((it) => meet(it, waiting)).find((it) => it !== undefined);
    if (!met) {
      const where = [...waiting.values()].map(({ rank, node }) => `rank ${rank} at ${node.op}`);
      throw new Error(`ranks wait for each other for ever: ${where.join(", ")}`);
    }
    for (const [rank, results] of met) {
      waiting.delete(rank);
      take(rank, live[rank]?.next(results));
    }
  }
  return outcomes;
}
