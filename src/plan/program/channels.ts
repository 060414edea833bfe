import { mostOf } from "./sizes.ts";
import type { CallLimits, CollectiveStep, Extent, Rows, Step } from "./program.ts";

/** A group of ranks that talk, and the most bytes that one of them brings to a collective. */
export type Channel = { readonly group: readonly number[]; readonly bytes: number };

/** What a member tells the others about what it brings: its length; for dispatched rows, where those of each member begin. */
export const headBytes = (members: number): number => 8 * (members + 1);

/** The most bytes that a rank brings to a collective. */
function messageBytes({ collective: it, group }: CollectiveStep, most: (extent: Extent) => number): number {
  const size = ({ rows, width }: Rows): number => width * most(rows);
  switch (it.kind) {
    case "dispatch": {
      // A row goes to each member at most once, and to no more of them than it has experts.
      const copies = Math.min(group.length, it.indices.width / 4);
      return copies * (size(it.x) + size(it.indices) + size(it.weights) + 4 * most(it.x.rows));
    }
    case "combine":
      return size(it.rows) + size(it.from);
    case "recv":
      return 0;
    default:
      return size(it.from);
  }
}

/** The channels that the programs of all ranks need, in the order in which they come up. */
export function channelsOf(
  ranks: readonly (readonly (CallLimits & { readonly steps: readonly Step[] })[])[],
): readonly Channel[] {
  const found = new Map<string, Channel>();
  for (const program of ranks.flat()) {
    const most = mostOf(program, program.maxTokens);
    for (const step of program.steps) {
      if (!("collective" in step)) continue;
      const key = step.group.join();
      const bytes = Math.max(found.get(key)?.bytes ?? 0, messageBytes(step, most));
      found.set(key, { group: step.group, bytes });
    }
  }
  return [...found.values()].map(({ group, bytes }) => ({ group, bytes: bytes + headBytes(group.length) }));
}
