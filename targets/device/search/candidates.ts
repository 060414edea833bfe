/** The tiles that a machine can hold for a product. */
import type { Profile } from "../../../src/machine/profile.ts";
import { matrixRate } from "../../../src/machine/rates.ts";
import { fitter, leastDepth, leastStep } from "../kernels/matrix/fits.ts";
import { flowOf } from "../kernels/matrix/flow.ts";
import { isFractal, matricesWith, runOf, widthOf, type GemmSpec } from "../kernels/matrix/spec.ts";
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
