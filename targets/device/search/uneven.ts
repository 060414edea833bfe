/**
 * Tiles of experts, whose rows are never spread evenly. Which of them are popular is not known when a tile is chosen, so that it is judged by what may be
 * expected: the cycles of even rows, and the mean of a few draws by Zipf's law, which counts as much.
 */
import type { Profile } from "../../../src/machine/profile.ts";
import { zipfOffsets } from "../../../src/plan/program/row-blocks.ts";
import type { GemmSpec } from "../kernels/matrix/spec.ts";
import type { Tile } from "../kernels/matrix/tile.ts";
import { leastWork, rowsOfMatrices } from "./bounds.ts";
import { candidates } from "./candidates.ts";
import { estimator } from "./estimate.ts";
import type { Remembered } from "./remembered.ts";
import { alike, diverse, more, noTrials, patience, ranked, shared, type Tried } from "./trials.ts";
import { otherCopies, tapering } from "./variants.ts";

/** Seeds of the draws. Of rows so many that they take long to walk through, all draws are alike. */
const seeds = [2011, 2017, 2027];
const long = 50_000;

/** How much longer a tile may take than the least for the search to be content with it. */
const near = 1.002;

/** Times a tile with rows spread as offsets say, evenly where nothing is said. */
type TimeOf = (tile: Tile, offsets?: readonly number[]) => Tried;

/** Where the rows of each expert begin, and the cycles that any tile takes of them. */
type Spread = { readonly offsets: readonly number[]; readonly least: number };

/**
 * The tile of experts that takes the least of even and drawn rows together, of `published`, the best by formula, those of the size that was fastest of these, and
 * the fastest with another number of copies of its sums and with shorter last turns. None that is taken is slower for even rows than the published one.
 */
export function bestOfExperts(
  profile: Profile,
  spec: GemmSpec,
  rows: number,
  published: Tile | undefined,
  trials: number,
  timeOf: TimeOf,
): Remembered | undefined {
  const [draw, ...others] = seeds.map((seed) => zipfOffsets(spec.experts ?? 1, rows, seed));
  if (!draw) return undefined;
  const tiles = promising(profile, spec, rows, draw);
  const known = published ?? tiles[0];
  if (!known) return undefined;
  const [even, drawn] = [timeOf(known), timeOf(known, draw)];
  const spreads = [draw, ...(drawn.walked > long ? [] : others)].map((offsets): Spread => ({
    offsets,
    least: leastWork(profile, spec, rows, offsets).cycles,
  }));
  const limit = published ? even.cycles : Infinity;
  const good = near * (leastWork(profile, spec, rows).cycles + meanOf(spreads.map((it) => it.least)));
  const both = (tile: Tile, below: number): Tried =>
    below <= good ? untried : inAll(timeOf(tile), spreads, limit, below, (offsets) => timeOf(tile, offsets));
  const enough = trials * Math.max(patience * (1 + spreads.length), (even.walked + drawn.walked) / 2);
  const { ofSizes, ofBest } = shared(trials);
  const first = more(noTrials, [known, ...diverse(tiles, 1).slice(0, 2 * ofSizes)], enough, both);
  const second = more(first, alike(tiles, first, ofBest), enough, both);
  const third = more(second, second.best ? otherCopies(profile, spec, second.best.tile) : [], enough, both);
  const { best } = more(third, third.best ? tapering(profile, spec, third.best.tile) : [], enough, both);
  return best && { tile: best.tile, cycles: timeOf(best.tile).cycles };
}

/** What is not worth a try. */
const untried: Tried = { cycles: Infinity, walked: 0 };

const meanOf = (of: readonly number[]): number => of.reduce((sum, it) => sum + it, 0) / of.length;

/**
 * What a tile takes of even rows, and on average of all spreads; infinity where it is slower for even rows than `limit`. No more spreads are timed than show that
 * this is not below so many cycles.
 */
function inAll(
  even: Tried,
  spreads: readonly Spread[],
  limit: number,
  below: number,
  timeOf: (offsets: readonly number[]) => Tried,
): Tried {
  const cycles = spreads.map((it) => it.least);
  let walked = even.walked;
  if (even.cycles > limit) return { cycles: Infinity, walked };
  for (const [i, { offsets }] of spreads.entries()) {
    if (even.cycles + meanOf(cycles) >= below) return { cycles: Infinity, walked };
    const timing = timeOf(offsets);
    cycles[i] = timing.cycles;
    walked += timing.walked;
  }
  return { cycles: even.cycles + meanOf(cycles), walked };
}

/** Legal tiles as tall as the expert of most rows in a draw, the best by formula for it and even rows first. */
function promising(profile: Profile, spec: GemmSpec, rows: number, draw: readonly number[]): readonly Tile[] {
  const most = Math.max(...rowsOfMatrices(spec, rows, draw));
  const [even, uneven] = [estimator(profile, spec, rows), estimator(profile, spec, rows, draw)];
  return ranked(candidates(profile, spec, rows, most), (it) => even(it) + uneven(it));
}
