/**
 * Tiles of experts, whose rows are never spread evenly. Which of them are popular is not known when a tile is chosen, so that it is judged by what may be
 * expected: the cycles of even rows, and the mean of a few draws by Zipf's law, which counts as much.
 */
import type { Profile } from "../../../src/machine/profile.ts";
import { zipfOffsets } from "../../../src/plan/program/row-blocks.ts";
import type { GemmSpec } from "../kernels/matrix/spec.ts";
import type { Tile } from "../kernels/matrix/tile.ts";
import { leastWork, rowsOfMatrices } from "./bounds.ts";
import { candidates, tapering } from "./candidates.ts";
import { estimator } from "./estimate.ts";
import type { Remembered } from "./remembered.ts";
import { alike, diverse, least, more, noTrials, patience, ranked, shared, type Tried } from "./trials.ts";

/** Seeds of the draws. Of rows so many that they take long to walk through, all draws are alike. */
const seeds = [2011, 2017, 2027];
const long = 50_000;

/** How much longer a tile may take than the least for the search to be content with it. */
const near = 1.005;

/** Times a tile with rows spread as offsets say, evenly where nothing is said. */
type TimeOf = (tile: Tile, offsets?: readonly number[]) => Tried;

/** Where the rows of each expert begin, and the cycles that any tile takes of them. */
type Spread = { readonly offsets: readonly number[]; readonly least: number };

/**
 * Of the best tile for even rows and of those that are best by formula for both, the one that takes the least of both. None that is taken is slower for even
 * rows than `limit` cycles.
 */
export function sturdiest(
  profile: Profile,
  spec: GemmSpec,
  rows: number,
  best: Remembered,
  limit: number,
  trials: number,
  timeOf: TimeOf,
): Remembered {
  if (spec.experts === undefined) return best;
  const spreads = spreadsOf(profile, spec, rows, (offsets) => timeOf(best.tile, offsets));
  const both = (tile: Tile, below: number): Tried => {
    const even = timeOf(tile);
    return even.cycles > limit
      ? { ...even, cycles: Infinity }
      : drawn(even, spreads, (offsets) => timeOf(tile, offsets), below);
  };
  const first = more(noTrials, [best.tile], Infinity, both);
  const leastOfBoth = leastWork(profile, spec, rows).cycles + meanOf(spreads.map((it) => it.least));
  if (first.best && first.best.cycles < near * leastOfBoth) return best;
  const { ofSizes, ofBest } = shared(trials);
  const enough = Math.max(patience * trials, least * first.walked);
  const tiles = promising(profile, spec, rows, spreads);
  const second = more(first, diverse(tiles, 1).slice(0, ofSizes), enough, both);
  const third = more(second, alike(tiles, second, ofBest), enough, both);
  const tile = third.best?.tile ?? best.tile;
  const found = more(third, tapering(profile, spec, tile), enough, both).best?.tile ?? tile;
  return { tile: found, cycles: timeOf(found).cycles };
}

const meanOf = (of: readonly number[]): number => of.reduce((sum, it) => sum + it, 0) / of.length;

/** Draws of the rows, and the least of each; of such as take long to walk through, fewer. */
function spreadsOf(
  profile: Profile,
  spec: GemmSpec,
  rows: number,
  timeOf: (offsets: readonly number[]) => Tried,
): readonly Spread[] {
  let walked = 0;
  return seeds.flatMap((seed) => {
    if (walked > long) return [];
    const offsets = zipfOffsets(spec.experts ?? 1, rows, seed);
    walked += timeOf(offsets).walked;
    return [{ offsets, least: leastWork(profile, spec, rows, offsets).cycles }];
  });
}

/** What a tile takes of even rows, and on average of those drawn; no more draws are timed than show that this is not below so many cycles. */
function drawn(
  even: Tried,
  spreads: readonly Spread[],
  timeOf: (offsets: readonly number[]) => Tried,
  below: number,
): Tried {
  const cycles = spreads.map((it) => it.least);
  let walked = even.walked;
  for (const [i, { offsets }] of spreads.entries()) {
    if (even.cycles + meanOf(cycles) >= below) return { cycles: Infinity, walked };
    const timing = timeOf(offsets);
    cycles[i] = timing.cycles;
    walked += timing.walked;
  }
  return { cycles: even.cycles + meanOf(cycles), walked };
}

/** Legal tiles as tall as the expert of most rows in the first draw, the best by formula for both first. */
function promising(
  profile: Profile,
  spec: GemmSpec,
  rows: number,
  [first]: readonly Spread[],
): readonly Tile[] {
  if (!first) return [];
  const most = Math.max(...rowsOfMatrices(spec, rows, first.offsets));
  const [even, uneven] = [estimator(profile, spec, rows), estimator(profile, spec, rows, first.offsets)];
  return ranked(candidates(profile, spec, rows, most), (it) => even(it) + uneven(it));
}
