/**
 * Rows that the vector cores read before the matrix unit's core does, so that it finds them in the chip's cache: copies that make fractals of rows wait for
 * memory longer than others, and the vector cores of a product whose sums leave without them have nothing else to do. What they read is not used.
 */
import { globalSpace, type Profile } from "../../../../src/machine/profile.ts";
import { pathBetween, pathRate } from "../../../../src/machine/rates.ts";
import { coresOf } from "../../../../src/machine/schedule/cores.ts";
import { dtypes } from "../../../../src/tensor/dtype.ts";
import { buffer, lines } from "../vector/tile.ts";
import { flowOf, type Flow } from "./flow.ts";
import { depthOf, type GemmSpec } from "./spec.ts";
import type { Tile } from "./tile.ts";

/** Numbers of the signals that rows are there, and that more of them may be read: no product that reads ahead has others. */
const signals = { there: 0, more: 1 } as const;

/** Stages that the vector cores may be ahead: memory is at work for the next while the other core takes one. */
export const stagesAhead = 4;

/**
 * Cycles that copies of a product's rows take longer, each row missed once by one group, than they would if all were in the cache; 0 where rows cannot be
 * read ahead: by vector cores of their own, which do nothing else in this product.
 */
export function missesOf(profile: Profile, spec: GemmSpec, rows: number): number {
  const { isWhole, isMade, leaves, stage } = flowOf(profile, spec);
  const load = pathBetween(profile, globalSpace, stage);
  const missed = load?.rearranging?.coreBytesPerCycle?.value;
  if (isWhole || isMade || leaves !== "straight") return 0;
  if (spec.a.nz || spec.a.heads !== undefined || spec.experts !== undefined) return 0;
  if (!load || missed === undefined || !pathBetween(profile, globalSpace, profile.vector.space)) return 0;
  const bytes = (rows * depthOf(spec) * dtypes[spec.a.dtype].bits) / 8 / profile.groups.value;
  return Math.max(0, bytes / missed - bytes / pathRate(load, spec.a.dtype));
}

/** Rows that a vector core reads of a stage, at most. */
export const rowsAhead = (profile: Profile, { area: { m } }: Tile): number =>
  Math.ceil(m / coresOf(profile, profile.vector.core));

/** Before all tiles, and before and behind the copy of a stage's rows, on the matrix unit's core. The first stage it reads itself, at once. */
export function readBehind({ vector }: Profile, { load }: Flow, { staged: { ahead } }: Tile) {
  if (ahead === undefined) return { begin: "", before: "", after: "" };
  const more = `signal ${load} -> ${vector.core} #${signals.more}`;
  const later = (statement: string): string => lines("if 0 < k + t - group {", statement, "}");
  return {
    begin: lines(...Array.from({ length: ahead }, () => more)),
    before: later(`await ${vector.core} -> ${load} #${signals.there}`),
    after: later(more),
  };
}

/** What the vector cores do for one tile. Groups side by side in a band meet the same rows: each reads a share. */
export function readAhead(profile: Profile, { vectorLoad }: Flow, spec: GemmSpec, tile: Tile): string {
  const { matrix } = profile;
  const { area, staged, band = 1 } = tile;
  const { dtype } = spec.a;
  const shares = band === 1 ? "cores" : "side * cores";
  return lines(
    `let share = ceil(rows, ${shares})`,
    `let top = min(rows, ${band === 1 ? "core" : `((n / ${area.n} - left) * cores + core)`} * share)`,
    "let mine = min(share, rows - top)",
    `for k in (t == group) * ${staged.k} .. ${depthOf(spec)} step ${staged.k} {`,
    `let depth = min(${staged.k}, ${depthOf(spec)} - k)`,
    buffer(profile)("rest", dtype, rowsAhead(profile, tile), staged.k),
    `await ${matrix.core} -> ${vectorLoad} #${signals.more}`,
    `copy a[m + top : mine, k : depth] -> rest[0 : mine, 0 : depth]`,
    `signal ${vectorLoad} -> ${matrix.core} #${signals.there}`,
    "}",
  );
}

/** Takes the signals back that are left over. */
export const readOut = ({ matrix }: Profile, { vectorLoad }: Flow, { staged }: Tile): string =>
  lines(
    ...Array.from(
      { length: staged.ahead ?? 0 },
      () => `await ${matrix.core} -> ${vectorLoad} #${signals.more}`,
    ),
  );
