/** Tiles that are a found one but for one thing, tried once it is known to be fast. */
import type { Profile } from "../../../src/machine/profile.ts";
import { missesOf, stagesAhead } from "../kernels/matrix/ahead.ts";
import { fitter } from "../kernels/matrix/fits.ts";
import { matricesOf, widthOf, type GemmSpec } from "../kernels/matrix/spec.ts";
import { undivided, type Tile } from "../kernels/matrix/tile.ts";

/** A tile in other bands: half and twice as wide, a column, all columns. */
export function otherBands(spec: GemmSpec, tile: Tile): readonly Tile[] {
  const { band } = tile;
  if (band === undefined) return [];
  const across = Math.ceil(widthOf(spec) / tile.area.n);
  const bands = new Set([Math.ceil(band / 2), Math.min(across, 2 * band), 1, across]);
  return [...bands].filter((it) => it !== band).map((it) => ({ ...tile, band: it }));
}

/** Columns of narrower tiles: few enough that little is left to do with the last weights, and enough that rows, which come anew, do not take longer than weights. */
const narrow = [32, 48, 64];

/** Copies of short tiles' operands, as many as there is room for. */
const mostCopies = [6, 5, 4, 3, 2, 1];

/**
 * A tile in widths that deal out the columns evenly, with the last of each group narrower: in as many turns as it has, one more and fewer. For products that meet all
 * rows at once, of one matrix.
 */
export function narrowing(profile: Profile, spec: GemmSpec, rows: number, tile: Tile): readonly Tile[] {
  const { area, staged, runs } = tile;
  if (matricesOf(spec) > 1 || spec.experts !== undefined || rows > area.m || runs !== undefined) return [];
  const fits = fitter(profile, spec);
  const groups = profile.groups.value;
  const each = Math.ceil(widthOf(spec) / groups);
  const most = Math.min(4, Math.ceil(each / area.n) + 1);
  const turns = Array.from({ length: most - 1 }, (_, i) => i + 2);
  return turns.flatMap((it) =>
    narrow.flatMap((n) => {
      const wide = Math.ceil((each - n) / (it - 1));
      if (wide <= n) return [];
      // What is wider may leave room for shorter steps only.
      const tiles = mostCopies.flatMap((copies) =>
        [staged.step, staged.step / 2].map((step): Tile => ({
          area: { m: area.m, n: wide },
          narrower: { after: groups * (it - 1), n },
          staged: { k: staged.k, step, copies },
          sums: undivided,
        })),
      );
      return tiles.filter(fits).slice(0, 1);
    }),
  );
}

/** A tile with one copy of its undivided sums where it has two, or the other way round, where there is room. */
export function otherCopies(profile: Profile, spec: GemmSpec, { sums, ...tile }: Tile): readonly Tile[] {
  if (sums.parts > 1) return [];
  return [{ ...tile, sums: { ...sums, copies: 3 - sums.copies } }].filter(fitter(profile, spec));
}

/** A tile whose last turns are shorter, of one step and of two, staged further ahead where there is room: while they come, those before are still there. */
export function tapering(profile: Profile, spec: GemmSpec, { staged, ...tile }: Tile): readonly Tile[] {
  const { k, step, copies } = staged;
  const fits = fitter(profile, spec);
  return [step, 2 * step]
    .filter((last) => last < k)
    .flatMap((last) =>
      [copies + 1, copies]
        .map((ahead): Tile => ({ ...tile, staged: { ...staged, copies: ahead, last } }))
        .filter(fits)
        .slice(0, 1),
    );
}

/**
 * A tile whose weights are held while rows pass by, where the machine can hold them: in the two numbers of runs that leave the busiest group of the chip the fewest
 * tiles. Rows are staged as before, in as many copies as there is room for.
 */
export function holding(profile: Profile, spec: GemmSpec, rows: number, tile: Tile): readonly Tile[] {
  const fits = fitter(profile, spec);
  const { area, sums, staged: { k, step } } = tile; // prettier-ignore
  const [down, across] = [Math.ceil(rows / area.m), Math.ceil(widthOf(spec) / area.n)];
  const groups = profile.groups.value;
  const turns = (runs: number): number => Math.ceil((across * runs) / groups) * Math.ceil(down / runs);
  const counts = Array.from({ length: Math.min(down - 1, groups) }, (_, i) => i + 1);
  return counts
    .toSorted((a, b) => turns(a) - turns(b) || a - b)
    .slice(0, 2)
    .flatMap((runs) =>
      [4, 3, 2]
        .map((copies): Tile => ({ area, staged: { k, step, copies }, sums, runs }))
        .filter(fits)
        .slice(0, 1),
    );
}

/** Tiles whose rows the vector cores read ahead, where what copies miss otherwise takes more than a small part of so many cycles. */
export function readingAhead(
  profile: Profile,
  spec: GemmSpec,
  rows: number,
  cycles: number,
  tiles: readonly Tile[],
): readonly Tile[] {
  if (missesOf(profile, spec, rows) < cycles * noticed) return [];
  const fits = fitter(profile, spec);
  return tiles
    .filter((it) => it.runs === undefined)
    .map((it) => ({ ...it, staged: { ...it.staged, ahead: stagesAhead } }))
    .filter(fits);
}

/** The share of a kernel's time that is worth more trials. */
const noticed = 0.05;
