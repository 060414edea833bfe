/** What of a kernel's reads comes from the chip's memory, and what its shared cache serves. */
import type { Span } from "./outline.ts";

/** Of each tensor, the share of the bytes read that come from memory. */
export type Traffic = ReadonlyMap<string, number>;

function bytesIn({ low, high, bits }: Span): number {
  let elements = 1;
  for (let i = 0; i < low.length; i++) elements *= (high[i] ?? 0) - (low[i] ?? 0);
  return (elements * bits) / 8;
}

/** A box that some group reads in a turn, and its size. */
type Box = { readonly span: Span; readonly bytes: number };

/**
 * All groups take their turns side by side: what several read in one turn comes from memory once, and stays in the cache until
 * `capacity` bytes of younger boxes have followed (least recently used goes first). Boxes that begin at one place are taken to lie in one
 * another. `groups` holds the turns of each group.
 */
export function trafficOf(groups: readonly (readonly (readonly Span[])[])[], capacity: number): Traffic {
  const cache = new Map<string, number>(); // in order of use
  const read = new Map<string, number>();
  const missed = new Map<string, number>();
  const add = (to: Map<string, number>, key: string, by: number): void =>
    void to.set(key, (to.get(key) ?? 0) + by);
  let held = 0;
  const rounds = Math.max(0, ...groups.map((it) => it.length));
  for (let round = 0; round < rounds; round++) {
    const now = new Map<string, Box>();
    let together = 0;
    for (const turns of groups)
      for (const span of turns[round] ?? []) {
        add(read, span.tensor, span.bytes);
        const key = `${span.tensor} ${span.low.join()}`;
        const [bytes, other] = [bytesIn(span), now.get(key)?.bytes];
        if (other !== undefined && other >= bytes) continue;
        now.set(key, { span, bytes });
        together += bytes - (other ?? 0);
      }
    // What a turn comes back to is still there, unless the turns read more in between than the cache holds.
    const isKept = together <= capacity;
    for (const [key, { span, bytes }] of now) {
      const known = cache.get(key) ?? 0;
      const fresh = isKept ? Math.min(bytes, span.bytes) : span.bytes;
      add(missed, span.tensor, fresh * Math.max(0, 1 - known / bytes));
      cache.delete(key);
      cache.set(key, Math.max(bytes, known));
      held += Math.max(0, bytes - known);
    }
    for (const [key, bytes] of cache) {
      if (held <= capacity) break;
      cache.delete(key);
      held -= bytes;
    }
  }
  return new Map(
    [...read].map(([tensor, bytes]) => [tensor, bytes > 0 ? (missed.get(tensor) ?? 0) / bytes : 1]),
  );
}
