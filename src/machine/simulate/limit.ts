/** What keeps a kernel from being faster. */
import { globalSpace, type Profile, type Space } from "../profile.ts";
import { memoryBytesPerCycle, microseconds, usableBytes } from "../rates.ts";
import { statements, type Kernel } from "../schedule/kernel.ts";
import { bufferBytes } from "../verify/capacity.ts";
import type { Timing } from "./time.ts";

export const limits = {
  cube: "the matrix unit works nearly all the time",
  memory: "the chip's memory gives all that it can sustain",
  L2: "tiles are so small for their depth that reading them again through the shared cache takes the time",
  L1: "filling the matrix unit's operands from the staging space takes the time",
  vector: "the vector unit, or its copies, take the time",
  store: "taking sums out of the accumulators takes the time",
  "L1 capacity":
    "no part works nearly all the time, and the staging space has no room for one more tile that would keep them at work",
  waves:
    "the tiles do not divide among the groups, some of which have nothing to do for more than a fifth of the time",
  launch: "the kernel is shorter than its launch",
  latency: "nothing is busy: it is waited for what was asked for last",
} as const;
export type Limit = keyof typeof limits;

/** How much of its time each part of the machine works. */
export type Shares = {
  readonly cube: number;
  readonly memory: number;
  readonly L2: number;
  readonly L1: number;
  readonly vector: number;
  readonly store: number;
};

/** Of the busiest group, and the memory that all share, by its sustained rate. */
export function sharesOf(profile: Profile, { busy, bytes, memoryBytes, cycles }: Timing): Shares {
  const { matrix, vector, memory, paths } = profile;
  const share = (core: string, engine: string): number => (busy.get(`${core}.${engine}`) ?? 0) / cycles;
  const most = (of: readonly { readonly core: string; readonly engine: string }[]): number =>
    Math.max(0, ...of.map((it) => share(it.core, it.engine)));
  const cached = [...bytes].reduce(
    (n, [path, of]) => (path.split(" ").includes(globalSpace) ? n + of : n),
    0,
  );
  const loads = paths.filter(
    (it) => it.from === globalSpace && it.core === matrix.core && it.to !== vector.space,
  );
  const ofMemory = memoryBytes / (memoryBytesPerCycle(profile) * memory.sustained.value) / cycles;
  return {
    cube: share(matrix.core, matrix.engine),
    memory: ofMemory,
    // While the memory answers the loading engine does not read of the cache.
    L2: Math.max(cached / memory.l2BytesPerCycle.value / cycles, most(loads) - ofMemory),
    L1: most(paths.filter((it) => it.to === matrix.a || it.to === matrix.b)),
    vector: most([
      vector,
      ...paths.filter(
        (it) => it.core === vector.core && (it.to === vector.space || it.from === vector.space),
      ),
    ]),
    store: most(paths.filter((it) => it.from === matrix.c)),
  };
}

/** From what share of its time on a part counts as the limit. */
const nearly = 0.8;

/** Whether the matrix unit is fed from a space in which not even the smallest of what is staged there would fit once more. */
function isStagedFull({ spaces, paths, matrix }: Profile, kernel: Kernel): boolean {
  const isStage = ({ name }: Space): boolean =>
    paths.some((it) => it.from === globalSpace && it.to === name) &&
    paths.some((it) => it.from === name && (it.to === matrix.a || it.to === matrix.b));
  return spaces.filter(isStage).some((space) =>
    kernel.parts.some(({ core, body }) => {
      if (core !== space.core) return false;
      const staged = statements(body)
        .filter((it) => it.kind === "buffer")
        .filter((it) => it.space === space.name)
        .map((it) => ({ bytes: bufferBytes(it, space), copies: it.copies }));
      const taken = staged.reduce((n, { bytes, copies }) => n + bytes * copies, 0);
      return staged.length > 0 && taken + Math.min(...staged.map(({ bytes }) => bytes)) > usableBytes(space);
    }),
  );
}

/** Which limit binds. */
export function limitOf(profile: Profile, kernel: Kernel, timing: Timing): Limit {
  const shares = Object.entries(sharesOf(profile, timing)) as [keyof Shares, number][]; // entries forgets the keys
  const [name, share] = shares.reduce((best, it) => (it[1] > best[1] ? it : best));
  if (microseconds(profile, timing.cycles) < profile.launch.value) return "launch";
  // Memory is shared by all groups; every other part works in each, and stands still where a group has no more to do.
  if (timing.balance < nearly && !(name === "memory" && share >= nearly)) return "waves";
  if (share >= nearly) return name;
  if (isStagedFull(profile, kernel)) return "L1 capacity";
  return share >= nearly / 2 ? name : "latency";
}
