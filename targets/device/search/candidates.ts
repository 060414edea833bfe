/** The tiles that a machine can hold for a product. */
import type { Profile } from "../../../src/machine/profile.ts";
import { matrixRate } from "../../../src/machine/rates.ts";
import { missesOf, stagesAhead } from "../kernels/matrix/ahead.ts";
import { fitter, leastDepth, leastStep } from "../kernels/matrix/fits.ts";
import { flowOf } from "../kernels/matrix/flow.ts";
import {
  isFractal,
  matricesOf,
  matricesWith,
  runOf,
  widthOf,
  type GemmSpec,
} from "../kernels/matrix/spec.ts";
import { pieceWidth, roundedUp, undivided, type Area, type Sums, type Tile } from "../kernels/matrix/tile.ts";

const multiples = [1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 32];

/** Multiples for rows, whose number is at hand only here: widths that deal out tiles evenly are found for each. */
const ofRows = [...multiples, 7, 9, 11, 13, 15].toSorted((a, b) => a - b);

/** Multiples of a unit up to what covers `most`, that itself last. */
function sizes(unit: number, most: number, of = multiples): readonly number[] {
  const covering = roundedUp(Math.max(1, most), unit);
  const below = of.map((it) => it * unit).filter((it) => it < covering);
  return covering <= 32 * unit ? [...below, covering] : below;
}

/** Widths that give every group of the chip the same number of tiles, up to twelve each. */
function evenWidths(profile: Profile, spec: GemmSpec, rows: number, down: number): readonly number[] {
  const n = widthOf(spec);
  return [1, 2, 3, 4, 5, 6, 7, 8, 10, 12].flatMap((turns) => {
    const across = Math.floor((turns * profile.groups.value) / (down * matricesWith(spec, rows)));
    return across >= 1 && across <= n ? [Math.ceil(n / across)] : [];
  });
}

/**
 * So many columns of tiles side by side that what all groups read at a time is least: of a rectangle of tiles, the one whose sides are as long as each other
 * in rows and columns of the result. Nothing where there is one row or one column of tiles, or experts, whose rows come in blocks.
 */
function bandOf(profile: Profile, spec: GemmSpec, rows: number, { m, n }: Area): { readonly band?: number } {
  const across = Math.ceil(widthOf(spec) / n);
  if (spec.experts !== undefined || rows <= m || across === 1) return {};
  const band = Math.min(across, Math.max(1, Math.round(Math.sqrt((profile.groups.value * m) / n))));
  return band > 1 ? { band } : {};
}

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

const depths = [leastDepth, 64, 128, 256, 512, 1024, 2048];
const steps = [leastStep, 32, 64, 128, 256, 512];

const accumulators: readonly Sums[] = [
  undivided,
  { ...undivided, copies: 2 },
  { ...undivided, parts: 2, cut: "columns" },
  { ...undivided, parts: 2, cut: "rows" },
];

/** All legal tiles for so many rows, of one matrix at most `most`, in a fixed order; of each, as many copies of the staged operands as there is room for, up to four. */
export function candidates(
  profile: Profile,
  spec: GemmSpec,
  rows: number,
  most = Math.ceil(rows / (spec.experts ?? 1)),
): readonly Tile[] {
  const rate = matrixRate(profile, spec.a.dtype, flowOf(profile, spec).weight);
  if (!rate) return [];
  const fits = fitter(profile, spec);
  const run = runOf(spec);
  const longest = roundedUp(run, rate.k);
  const tiles: Tile[] = [];
  /** Where rows and weights can be staged ahead but once, weights in pieces of a half or a quarter, as many as there is room for beside rows that are ahead by one or two. */
  const shorter = (tile: Tile): readonly Tile[] =>
    isFractal(spec)
      ? [...(pieceWidth(tile, run) < tile.area.n ? [1] : []), 2, 4].flatMap((parts) => {
          const depth = tile.staged.k / parts;
          const pieces = [4, 3, 2].map((copies) => ({
            ...tile,
            staged: { ...tile.staged, pieces: { depth, copies } },
          }));
          return pieces.filter(fits).slice(0, 1);
        })
      : [];
  for (const m of sizes(rate.m, most, ofRows)) {
    const even = evenWidths(profile, spec, rows, Math.ceil(most / m));
    for (const n of new Set([...sizes(rate.n, widthOf(spec)), ...even])) {
      const order = bandOf(profile, spec, rows, { m, n });
      for (const k of new Set(depths.map((it) => Math.min(it, longest))))
        for (const step of new Set(steps.map((it) => Math.min(it, k))))
          for (const sums of accumulators)
            for (const copies of [4, 3, 2, 1]) {
              const tile: Tile = { area: { m, n }, staged: { k, step, copies }, sums, ...order };
              if (!fits(tile)) continue;
              tiles.push(tile);
              if (copies < 3) tiles.push(...[2, 3].flatMap((ahead) => shorter({ ...tile, staged: { k, step, copies: ahead } }))); // prettier-ignore
              break;
            }
    }
  }
  return tiles;
}
