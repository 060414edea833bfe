/** The tiles that a machine can hold for a product. */
import type { Profile } from "../../../src/machine/profile.ts";
import { matrixRate } from "../../../src/machine/rates.ts";
import { fitter } from "../kernels/matrix/fits.ts";
import { flowOf } from "../kernels/matrix/flow.ts";
import { depthOf, matricesOf, sumsOf, widthOf, type GemmSpec } from "../kernels/matrix/spec.ts";
import { roundedUp, type Tile } from "../kernels/matrix/tile.ts";

const multiples = [1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 32];

/** Multiples of a unit up to what covers `most`, that itself last. */
function sizes(unit: number, most: number): readonly number[] {
  const covering = roundedUp(Math.max(1, most), unit);
  const below = multiples.map((it) => it * unit).filter((it) => it < covering);
  return covering <= 32 * unit ? [...below, covering] : below;
}

/** Widths that give every group of the chip the same number of tiles, up to eight each. */
function evenWidths(profile: Profile, spec: GemmSpec, down: number, unit: number): readonly number[] {
  const n = widthOf(spec);
  return [1, 2, 3, 4, 5, 6, 7, 8].flatMap((turns) => {
    const across = Math.floor((turns * profile.groups.value) / (down * matricesOf(spec)));
    return across >= 1 && across <= n ? [roundedUp(Math.ceil(n / across), unit)] : [];
  });
}

const depths = [32, 64, 128, 256, 512, 1024, 2048];
const steps = [16, 32, 64, 128, 256, 512];

type Accumulators = Pick<Tile, "parts" | "cut" | "accs">;
const accumulators: readonly Accumulators[] = [
  { parts: 1, cut: "columns", accs: 1 },
  { parts: 1, cut: "columns", accs: 2 },
  { parts: 2, cut: "columns", accs: 1 },
  { parts: 2, cut: "rows", accs: 1 },
];

/** All legal tiles for so many rows, in a fixed order; of each, as many copies of the staged operands as there is room for, up to four. */
export function candidates(profile: Profile, spec: GemmSpec, rows: number): readonly Tile[] {
  const rate = matrixRate(profile, spec.a.dtype, flowOf(profile, spec).weight);
  if (!rate) return [];
  const fits = fitter(profile, spec);
  const perMatrix = Math.ceil(rows / (spec.experts ?? 1));
  const run = sumsOf(spec) > 1 && spec.w.kind === "integer" ? spec.w.group : depthOf(spec);
  const longest = roundedUp(run, rate.k);
  // Fractals of stored weights begin at whole ones; rows of others may be cut anywhere.
  const unit = spec.w.kind === "plain" && spec.w.nz === true ? rate.n : 1;
  const deals = (m: number): readonly number[] => {
    const tilesDown = Math.ceil(perMatrix / m);
    return spec.experts === undefined || tilesDown === 1
      ? [1]
      : [1, ...[2, 4, 8, 16].filter((it) => it < tilesDown), tilesDown];
  };
  const tiles: Tile[] = [];
  for (const m of sizes(rate.m, perMatrix)) {
    const even = evenWidths(profile, spec, Math.ceil(perMatrix / m), unit);
    for (const n of new Set([...sizes(rate.n, widthOf(spec)), ...even]))
      for (const k of new Set(depths.map((it) => Math.min(it, longest))))
        for (const step of new Set(steps.map((it) => Math.min(it, k))))
          for (const acc of accumulators)
            for (const copies of [4, 3, 2, 1]) {
              const tile = { m, n, k, step, copies, ...acc };
              if (!fits(tile)) continue;
              tiles.push(...deals(m).map((deal) => (deal === 1 ? tile : { ...tile, deal })));
              break;
            }
  }
  return tiles;
}
