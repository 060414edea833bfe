/** What cores do in a passage, to let it pass once more. */
import { add, type Clock } from "../clock.ts";

export type Snapshot = {
  readonly busy: ReadonlyMap<string, number>;
  readonly bytes: ReadonlyMap<string, number>;
  readonly memoryBytes: number;
  readonly macs: number;
};

export const snapshotOf = ({ totals }: Clock): Snapshot => ({
  busy: new Map(totals.busy),
  bytes: new Map(totals.bytes),
  memoryBytes: totals.memoryBytes,
  macs: totals.macs,
});

/** What was done between two moments. */
export const doneSince = (from: Snapshot, to: Snapshot): Snapshot => ({
  busy: difference(from.busy, to.busy),
  bytes: difference(from.bytes, to.bytes),
  memoryBytes: to.memoryBytes - from.memoryBytes,
  macs: to.macs - from.macs,
});

const difference = (
  from: ReadonlyMap<string, number>,
  to: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> => new Map([...to].map(([key, n]) => [key, n - (from.get(key) ?? 0)]));

/** Count what was done so many times more. */
export function count({ totals }: Clock, of: Snapshot, n: number): void {
  for (const [engine, cycles] of of.busy) add(totals.busy, engine, n * cycles);
  for (const [path, bytes] of of.bytes) add(totals.bytes, path, n * bytes);
  totals.memoryBytes += n * of.memoryBytes;
  totals.macs += n * of.macs;
}
