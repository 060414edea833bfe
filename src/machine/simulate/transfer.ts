/** How long copies keep their engine, and the memory. */
import { globalSpace, type Profile } from "../profile.ts";
import type { Core } from "../schedule/cores.ts";
import type { Instruction } from "../schedule/walk.ts";
import { aheadOf, reserve } from "./bandwidth.ts";
import { add, both, type Clock, type Finish } from "./clock.ts";
import { transferOf } from "./cost.ts";
import type { Run } from "./issue.ts";

/**
 * A copy keeps its engine as long as its bytes take the path: what is read of memory comes at the core's share of it, what the cache holds
 * at the path's rate, one after the other, as the engine goes through a copy in order. It asks ahead of the memory. The latency only who needs
 * the data waits for: the engine has asked for the next by then. What is stored has left its buffer when the path has taken it.
 */
export function transferred(core: Core, clock: Clock, it: Instruction, start: number, run: Run): Finish {
  const { memory, totals } = clock;
  const { profile } = run;
  const transfer = transferOf(it, profile);
  if (!transfer) return both(start);
  const { to, bytes, occupied, bytesPerCycle, latency, global } = transfer;
  add(totals.bytes, it.operation.names[0] ?? "", bytes);
  const begun = start + transfer.startup;
  if (!global) return both(begun + Math.max(transfer.least, occupied / bytesPerCycle));
  const rate = Math.min(bytesPerCycle, memory.cacheBytesPerCycle);
  const isShared = global.box.kind === "tensor" && global.box.decl.role === "shared";
  const known = isShared ? 0 : to === globalSpace ? undefined : shareOfMemory(core, clock, it, run);
  const share = known ?? run.alike.get(it.operation) ?? 1;
  if (known === undefined) totals.memoryBytes += bytes * share;
  if (to === globalSpace) {
    const next = begun + Math.max(transfer.least, occupied / rate);
    const served = isShared ? next : reserve(memory, start, occupied / memory.bytesPerCycle);
    return { next, end: next, seen: Math.max(next, served) + latency };
  }
  const missed = occupied * share;
  const most = Math.min(rate, coreRate(profile), transfer.memoryBytesPerCycle);
  const ofMemory = Math.min(most, memory.bytesPerCycle);
  const cycles = missed / ofMemory;
  const taken = begun + Math.max(transfer.least, occupied / rate);
  if (missed === 0) return { next: taken, end: taken + latency };
  const fetched = reserve(memory, start, cycles);
  const hits = (occupied - missed) / rate;
  const asked = fetched - aheadOf(memory, cycles, { most, rate: ofMemory, latency });
  memory.spare = Math.min(memory.spare, taken - asked - hits);
  const next = Math.max(taken, asked + hits);
  return { next, end: Math.max(next, fetched) + latency };
}

/** The share of what a copy reads that the cache does not hold; undefined for what stands in no loop. */
function shareOfMemory(
  { env }: Core,
  { round }: Clock,
  { operation }: Instruction,
  { traffic, again, counted }: Run,
): number | undefined {
  const share = traffic.rounds[round]?.get(counted.get(operation) ?? "");
  const isBack = again.get(operation)?.some((it) => env[it.slot] !== it.from(env)) === true;
  return isBack ? share?.again : share?.first;
}

const coreRate = ({ memory }: Profile): number => memory.coreBytesPerCycle?.value ?? Infinity;
