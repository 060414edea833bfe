import { closeSync, openSync, readSync } from "node:fs";
import type { Channel } from "../../plan/program/channels.ts";
import { put } from "../../tensor/sink.ts";

/** Memory that ranks share: a file, where the system has it in memory, of one place for each channel. */
export type FabricPlan = {
  readonly file: string;
  readonly channels: readonly (Channel & { readonly at: number })[];
  readonly bytes: number;
};

/**
 * One rank's end of a channel. A member posts its message for a round and then takes those of the others for the same round; two
 * rounds have room, so that none waits for readers that are only a little behind.
 */
export type Endpoint = {
  readonly self: number;
  /** Put a message where the others read it, in pieces, and begin the next round. */
  readonly post: (pieces: readonly Uint8Array[]) => void;
  /** Read a part of what a member posted in this round into `target`. */
  readonly take: (member: number, offset: number, target: Uint8Array) => void;
  /** All has been taken of this round that is wanted. */
  readonly done: () => void;
};

export type Fabric = {
  readonly endpoint: (group: readonly number[]) => Endpoint;
  readonly close: () => void;
};

/** Counters of one member: rounds that it has posted, and rounds that it has taken. */
const counterBytes = 16;
const slots = 2;
const page = 4096;
const align = (n: number): number => Math.ceil(n / page) * page;

const headBytes = (members: number): number => align(counterBytes * members);
const slotBytes = ({ bytes }: Channel): number => align(bytes);
const channelBytes = (channel: Channel): number =>
  headBytes(channel.group.length) + channel.group.length * slots * slotBytes(channel);

/** A member's own share of the memory of its channels, in bytes. */
export const memoryOfChannels = (channels: readonly Channel[]): number =>
  channels.reduce((n, it) => n + Math.ceil(channelBytes(it) / it.group.length), 0);

/** Where each channel lies in a file. */
export function planFabric(file: string, channels: readonly Channel[]): FabricPlan {
  let at = 0;
  const placed = channels.map((channel) => {
    const here = { ...channel, at };
    at += channelBytes(channel);
    return here;
  });
  return { file, channels: placed, bytes: at };
}

/** How a rank waits: the times it looks before it sleeps, and what it looks after meanwhile. */
export type Patience = { readonly spins: number; readonly watch: () => void };

const watchEveryMs = 50;
const longestSleepMs = 1;

/** Wait until something is so: first by looking again and again, then asleep for longer and longer. */
function waitUntil(isSo: () => boolean, { spins, watch }: Patience): void {
  for (let i = 0; i < spins; i++) if (isSo()) return;
  const bed = new Int32Array(new SharedArrayBuffer(4));
  let watched = performance.now();
  for (let sleep = 0.02; !isSo(); sleep = Math.min(longestSleepMs, sleep * 1.5)) {
    Atomics.wait(bed, 0, 0, sleep);
    if (performance.now() - watched < watchEveryMs) continue;
    watch();
    watched = performance.now();
  }
}

/** Open a rank's end of the fabric. */
export function openFabric(plan: FabricPlan, rank: number, patience: Patience): Fabric {
  const fd = openSync(plan.file, "r+");
  const read = (target: Uint8Array, at: number): void => {
    for (let done = 0; done < target.byteLength;) {
      const n = readSync(fd, target, done, target.byteLength - done, at + done);
      if (n === 0) throw new Error("the shared memory of the ranks was cut short");
      done += n;
    }
  };
  const write = (bytes: Uint8Array, at: number): void => put(fd, plan.file, bytes, at);
  const connect = (group: readonly number[]): Endpoint => {
    const channel = plan.channels.find((it) => String(it.group) === String(group));
    if (!channel) throw new Error(`there is no channel of ranks ${group.join()}`);
    const self = group.indexOf(rank);
    const [size, members] = [slotBytes(channel), group.length];
    const counters = new BigUint64Array(2 * members);
    const bytes = new Uint8Array(counters.buffer);
    let round = 0n;
    const look = () => read(bytes, channel.at);
    /** The least of the others' counters: of rounds posted (0) or taken (1). */
    const all = (which: 0 | 1, least: bigint): boolean => {
      look();
      for (let m = 0; m < members; m++)
        if (m !== self && (counters[2 * m + which] ?? 0n) < least) return false;
      return true;
    };
    const tell = (which: 0 | 1): void => {
      const word = new Uint8Array(new BigUint64Array([round]).buffer);
      write(word, channel.at + counterBytes * self + 8 * which);
    };
    const slotAt = (member: number): number =>
      channel.at + headBytes(members) + (member * slots + Number((round - 1n) % BigInt(slots))) * size;
    return {
      self,
      post: (pieces) => {
        round++;
        // The slot was last used `slots` rounds ago: all must have taken what was in it.
        const free = round - BigInt(slots);
        if (free > 0n) waitUntil(() => all(1, free), patience);
        let at = slotAt(self);
        for (const piece of pieces) {
          write(piece, at);
          at += piece.byteLength;
        }
        if (at - slotAt(self) > size) throw new Error("a message is longer than its channel");
        tell(0);
      },
      take: (member, offset, target) => {
        if ((counters[2 * member] ?? 0n) < round)
          waitUntil(() => (look(), (counters[2 * member] ?? 0n) >= round), patience);
        if (target.byteLength > 0) read(target, slotAt(member) + offset);
      },
      done: () => tell(1),
    };
  };
  const open = new Map<string, Endpoint>();
  return {
    endpoint: (group) => {
      const key = group.join();
      const found = open.get(key) ?? connect(group);
      open.set(key, found);
      return found;
    },
    close: () => closeSync(fd),
  };
}
