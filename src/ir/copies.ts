/**
 * Which copy of an expert a token takes: one at its home, else one at a place that it goes to in any case, else so that it goes to few places.
 * A place is a rank, or a node of ranks. Dispatches choose by it, and placements are judged by it.
 */

/** Where experts are, and what tokens make of it. */
export type Copies = {
  /** Say where an expert is: its places, each once. */
  readonly locate: (expert: number, places: readonly number[]) => void;
  /**
   * The place of each of a token's experts, written to `chosen`; -1 for one that is nowhere. `turn` goes around among places that are as good as
   * each other, so that tokens spread.
   */
  readonly choose: (experts: ArrayLike<number>, home: number, turn: number, chosen: Int32Array) => void;
  /** How many places other than its home a token with experts `from..from+count` goes to, its home being any with the same chance. */
  readonly messages: (experts: ArrayLike<number>, from: number, count: number) => number;
};

/** The bits that are set. */
function population(bits: number): number {
  let n = bits - ((bits >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  return Math.imul((n + (n >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Nobody is anywhere yet. */
export function copiesOver(experts: number, places: number): Copies {
  const words = Math.ceil(places / 32);
  /** The places of an expert, a bit each; how many they are; and the only one, else -1. */
  const mask = new Int32Array(experts * words);
  const spread = new Int32Array(experts);
  const only = new Int32Array(experts).fill(-1);
  /** The places that the token goes to. */
  const met = new Int32Array(words);
  /** Experts that are at none of these. */
  const open = new Int32Array(experts);
  const waiting = new Int32Array(experts);
  const holds = new Int32Array(places);

  const meet = (place: number): void => void (met[place >> 5] = (met[place >> 5] ?? 0) | (1 << (place & 31)));
  const isAt = (expert: number, place: number): boolean =>
    (((mask[expert * words + (place >> 5)] ?? 0) >>> (place & 31)) & 1) === 1;
  const isMet = (expert: number): boolean => {
    for (let w = 0; w < words; w++) if (((mask[expert * words + w] ?? 0) & (met[w] ?? 0)) !== 0) return true;
    return false;
  };
  /** Meet the only place of each expert that has one, and keep the others that are not met there; gives how many these are. */
  const meetCertain = (list: ArrayLike<number>, from: number, count: number): number => {
    met.fill(0);
    let several = 0;
    for (let j = from; j < from + count; j++) {
      const expert = list[j] ?? 0;
      const place = only[expert] ?? -1;
      if (place >= 0) meet(place);
      else if ((spread[expert] ?? 0) > 0) open[several++] = expert;
    }
    let kept = 0;
    for (let i = 0; i < several; i++) if (!isMet(open[i] ?? 0)) open[kept++] = open[i] ?? 0;
    return kept;
  };
  /**
   * Meet the place that holds most of those that wait, one of equals by turn, and keep those that it does not hold: greedy cover (Chvátal, 1979), the
   * least for up to three. Gives how many still wait.
   */
  const meetMost = (count: number, turn: number): number => {
    let [most, equals] = [0, 0];
    for (let place = 0; place < places; place++) {
      let n = 0;
      for (let i = 0; i < count; i++) if (isAt(waiting[i] ?? 0, place)) n++;
      holds[place] = n;
      equals = n > most ? 1 : n === most ? equals + 1 : equals;
      most = Math.max(most, n);
    }
    let skip = turn % equals;
    let best = 0;
    while (holds[best] !== most || skip-- > 0) best++;
    meet(best);
    let kept = 0;
    for (let i = 0; i < count; i++) if (!isAt(waiting[i] ?? 0, best)) waiting[kept++] = waiting[i] ?? 0;
    return kept;
  };
  /** How many more places a token at `home` goes to for experts that are open. */
  const more = (count: number, home: number): number => {
    let wait = 0;
    for (let i = 0; i < count; i++) if (!isAt(open[i] ?? 0, home)) waiting[wait++] = open[i] ?? 0;
    if (wait < 2) return wait;
    let n = 0;
    for (; wait > 0; n++) wait = meetMost(wait, 0);
    return n;
  };
  const isOpenAt = (count: number, place: number): boolean => {
    for (let i = 0; i < count; i++) if (isAt(open[i] ?? 0, place)) return true;
    return false;
  };
  /** The same, summed over all homes; those that hold none of the experts are alike. */
  const moreOfEach = (count: number): number => {
    let [all, strange] = [0, -1];
    for (let home = 0; home < places; home++)
      if (isOpenAt(count, home)) all += more(count, home);
      else all += strange = strange < 0 ? more(count, home) : strange;
    return all;
  };
  /** The same, without going through the homes where that can be told. */
  const moreOfAll = (count: number): number => {
    const [a = 0, b = 0] = open;
    if (count === 0) return 0;
    if (count === 1) return places - (spread[a] ?? 0);
    if (count > 2) return moreOfEach(count);
    let both = 0;
    for (let w = 0; w < words; w++)
      both += population((mask[a * words + w] ?? 0) & (mask[b * words + w] ?? 0));
    const neither = places - (spread[a] ?? 0) - (spread[b] ?? 0) + both;
    return (spread[a] ?? 0) + (spread[b] ?? 0) - 2 * both + neither * (both > 0 ? 1 : 2);
  };
  return {
    locate: (expert, at) => {
      mask.fill(0, expert * words, (expert + 1) * words);
      for (const place of at) {
        const word = expert * words + (place >> 5);
        mask[word] = (mask[word] ?? 0) | (1 << (place & 31));
      }
      spread[expert] = at.length;
      only[expert] = at.length === 1 ? (at[0] ?? -1) : -1;
    },
    messages: (list, from, count) => {
      const left = meetCertain(list, from, count);
      let certain = 0;
      for (let w = 0; w < words; w++) certain += population(met[w] ?? 0);
      return (certain * (places - 1) + moreOfAll(left)) / places;
    },
    choose: (list, home, turn, chosen) => {
      const left = meetCertain(list, 0, list.length);
      let wait = 0;
      for (let i = 0; i < left; i++) if (!isAt(open[i] ?? 0, home)) waiting[wait++] = open[i] ?? 0;
      while (wait > 0) wait = meetMost(wait, turn);
      for (let j = 0; j < list.length; j++) {
        const expert = list[j] ?? 0;
        chosen[j] = isAt(expert, home) ? home : -1;
        for (let i = 0; i < places && (chosen[j] ?? 0) < 0; i++) {
          const place = (turn + i) % places;
          const goes = (((met[place >> 5] ?? 0) >>> (place & 31)) & 1) === 1;
          if (goes && isAt(expert, place)) chosen[j] = place;
        }
      }
    },
  };
}
