/** What of a kernel's reads comes from the chip's memory, and what its shared cache serves. */
import type { Box, Turns, Visit } from "./readings.ts";

/** Of the bytes of a tensor that are read, the share that comes from memory: where copies have not been before in their turn, and where they come back. */
export type Share = { readonly first: number; readonly again: number };

/** The shares of a round, by the names under which tensors are counted. Rounds of equal shares have the same object. */
export type Shares = ReadonlyMap<string, Share>;

export type Traffic = {
  /** By the number of the turn, those of all outermost loops counted. */
  readonly rounds: readonly Shares[];
  /** Bytes that come from memory. */
  readonly bytes: number;
};

/** Shares that are told apart: those that differ less than between two of these are taken together. */
const levels = 8;

/**
 * All groups take their turns side by side: what several read in one turn comes from memory once, and stays in the cache until
 * `capacity` bytes of younger boxes have followed (least recently used goes first). Copies that await what other cores bring of a tensor miss what these do not
 * bring in the turn. `groups` holds the turns of each group. As groups keep step only about, rounds whose shares are nearly the same have the mean of them all.
 */
export function trafficOf(groups: readonly Turns[], capacity: number): Traffic {
  const cache: Cache = { boxes: new Map(), held: 0, capacity };
  const most = Math.max(0, ...groups.map((it) => it.length));
  const rounds = Array.from({ length: most }, (_, round) => countsOf(groups, round, cache));
  const shares = new Map<Counts, Shares>();
  for (const alike of Map.groupBy(rounds, classOf).values()) {
    const mean = sharesOf(alike);
    for (const it of alike) shares.set(it, mean);
  }
  return {
    rounds: rounds.map((it) => shares.get(it) ?? new Map()),
    bytes: rounds.flatMap((it) => [...it.values()]).reduce((n, { first, again }) => n + first.missed + again.missed, 0), // prettier-ignore
  };
}

/** Boxes in order of use, each with its bytes, and their sum. */
type Cache = { readonly boxes: Map<Box, number>; held: number; readonly capacity: number };

type Read = { bytes: number; missed: number };
type Count = { readonly first: Read; readonly again: Read };
/** What is read of each tensor in a round. */
type Counts = ReadonlyMap<string, Count>;

/** What all groups read of a box in a round: the largest extent, and by each copy the most. */
type Touched = { extent: number; readonly visits: Visited[] };
type Visited = { readonly visit: Visit; first: number; again: number };

/** Of a tensor in a round, bytes that copies bring into the cache for others, and what these others would miss without. */
type Brought = { bytes: number; readonly for: Map<Count, number> };

function countsOf(groups: readonly Turns[], round: number, cache: Cache): Counts {
  const counts = new Map<string, Count>();
  const boxes = new Map<Box, Touched>();
  for (const turns of groups)
    for (const { visit, extent, first, again } of turns[round] ?? []) {
      const { box } = visit;
      const count = countOf(counts, visit.counted);
      count.first.bytes += first;
      count.again.bytes += again;
      let touched = boxes.get(box);
      if (!touched) boxes.set(box, (touched = { extent: 0, visits: [] }));
      touched.extent = Math.max(touched.extent, extent);
      // Few copies read of one box.
      const most = touched.visits.find((it) => it.visit === visit);
      if (!most) touched.visits.push({ visit, first, again });
      else if (first + again > most.first + most.again) [most.first, most.again] = [first, again];
    }
  let together = 0;
  for (const { extent } of boxes.values()) together += extent;
  // What a turn comes back to is still there, unless the turns read more in between than the cache holds.
  const isKept = together <= cache.capacity;
  const brought = new Map<string, Brought>();
  for (const [box, touched] of boxes) {
    const fresh = 1 - use(cache, box, touched.extent) / touched.extent;
    for (const { visit, first, again } of byName(touched.visits)) {
      const count = countOf(counts, visit.counted);
      const once = isKept ? Math.min(touched.extent, first) : first;
      if (!isKept) count.again.missed += fresh * again;
      const beside = broughtOf(brought, box.tensor);
      if (visit.isBrought) beside.for.set(count, (beside.for.get(count) ?? 0) + fresh * once);
      else {
        count.first.missed += fresh * once;
        beside.bytes += once;
      }
    }
  }
  for (const { bytes, for: others } of brought.values())
    for (const [count, missed] of others) count.first.missed += Math.max(0, missed - bytes);
  evict(cache);
  return counts;
}

/** What copies read of a box, those that are counted under one name together. */
function byName(visits: readonly Visited[]): readonly Visited[] {
  if (visits.length === 1) return visits;
  const names = Map.groupBy(visits, (it) => it.visit.counted);
  return [...names.values()].map((of) =>
    of.reduce((sum, { visit, first, again }) => ({
      visit,
      first: sum.first + first,
      again: sum.again + again,
    })),
  );
}

function countOf(counts: Map<string, Count>, name: string): Count {
  let count = counts.get(name);
  if (!count) counts.set(name, (count = { first: { bytes: 0, missed: 0 }, again: { bytes: 0, missed: 0 } })); // prettier-ignore
  return count;
}

function broughtOf(brought: Map<string, Brought>, tensor: string): Brought {
  let known = brought.get(tensor);
  if (!known) brought.set(tensor, (known = { bytes: 0, for: new Map() }));
  return known;
}

/** Use a box; gives the bytes of it that the cache had. */
function use(cache: Cache, box: Box, extent: number): number {
  const known = cache.boxes.get(box) ?? 0;
  cache.boxes.delete(box);
  cache.boxes.set(box, Math.max(extent, known));
  cache.held += Math.max(0, extent - known);
  return Math.min(known, extent);
}

/** Let go of the boxes that were used longest ago, until the others have room. */
function evict(cache: Cache): void {
  for (const [box, bytes] of cache.boxes) {
    if (cache.held <= cache.capacity) break;
    cache.boxes.delete(box);
    cache.held -= bytes;
  }
}

const shareOf = ({ bytes, missed }: Read): number => (bytes > 0 ? missed / bytes : 0);
const levelOf = (of: Read): number => Math.round(shareOf(of) * levels);

const classOf = (counts: Counts): string =>
  [...counts].map(([name, { first, again }]) => `${name} ${levelOf(first)} ${levelOf(again)}`).join();

/** The shares of several rounds together. */
function sharesOf(rounds: readonly Counts[]): Shares {
  const names = [...(rounds[0]?.keys() ?? [])];
  const sum = (name: string, of: "first" | "again"): Read => {
    const all = rounds.flatMap((it) => it.get(name)?.[of] ?? []);
    const add = (what: keyof Read): number => all.reduce((n, it) => n + it[what], 0);
    return { bytes: add("bytes"), missed: add("missed") };
  };
  return new Map(names.map((it) => [it, { first: shareOf(sum(it, "first")), again: shareOf(sum(it, "again")) }])); // prettier-ignore
}
