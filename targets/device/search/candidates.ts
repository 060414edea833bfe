/** The tiles that a machine can hold for a product. */
import type { Profile } from "../../../src/machine/profile.ts";
import { matrixRate, spaceOf, usableBytes } from "../../../src/machine/rates.ts";
import { dtypes } from "../../../src/tensor/dtype.ts";
import { flowOf } from "../kernels/matrix/flow.ts";
import { depthOf, matricesOf, sumsOf, widthOf, type GemmSpec } from "../kernels/matrix/spec.ts";
import { fits } from "../kernels/matrix/fits.ts";
import { roundedUp, type Tile } from "../kernels/matrix/tile.ts";

/** Every power of two and three halves of one, in units, up to what covers `most`. */
function sizes(unit: number, most: number): readonly number[] {
  const covering = roundedUp(Math.max(1, most), unit);
  const steps = [1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 32].map((it) => it * unit);
  return [...new Set([...steps.filter((it) => it < covering), Math.min(covering, 32 * unit)])];
}

/** Widths that give every group the same number of tiles, a few tiles each. */
function evenWidths(profile: Profile, spec: GemmSpec, down: number, unit: number): readonly number[] {
  const n = widthOf(spec);
  const others = down * matricesOf(spec);
  return [1, 2, 3, 4, 6, 8].flatMap((turns) => {
    const across = Math.floor((turns * profile.groups.value) / others);
    return across >= 1 && across <= n ? [roundedUp(Math.ceil(n / across), unit)] : [];
  });
}

const depths = [64, 128, 256, 512, 1024, 2048];
const steps = [16, 32, 64, 128, 256, 512];

/** All legal tiles for so many rows, in a fixed order. */
export function candidates(profile: Profile, spec: GemmSpec, rows: number): readonly Tile[] {
  const flow = flowOf(profile, spec);
  const rate = matrixRate(profile, spec.a.dtype, flow.weight);
  if (!rate) return [];
  const perMatrix = spec.experts === undefined ? rows : Math.ceil(rows / spec.experts);
  const bits = dtypes[spec.a.dtype].bits;
  const room = usableBytes(spaceOf(profile, profile.matrix.a)) * 8;
  const run = sumsOf(spec) > 1 && spec.w.kind === "integer" ? spec.w.group : depthOf(spec);
  const tiles: Tile[] = [];
  for (const m of sizes(rate.m, perMatrix))
    for (const n of new Set([
      ...sizes(rate.n, widthOf(spec)),
      ...evenWidths(profile, spec, Math.ceil(perMatrix / m), rate.n),
    ]))
      for (const k of depths)
        for (const step of steps) {
          if (step > k || step % rate.k !== 0 || k > roundedUp(run, rate.k) * 2 || 2 * m * step * bits > room)
            continue;
          for (const parts of [1, 2])
            for (const copies of [2, 3, 4])
              for (const accs of parts === 1 ? [1, 2] : [1]) {
                const tile = { m, n, k, step, parts, copies, accs };
                if (fits(profile, spec, tile)) tiles.push(tile);
              }
        }
  return tiles;
}
