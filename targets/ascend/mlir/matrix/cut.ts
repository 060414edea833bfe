/** The tile of a product as Huawei's compiler takes it. */
import type { Profile } from "../../../../src/machine/profile.ts";
import { spaceOf, usableBytes } from "../../../../src/machine/rates.ts";
import { coresOf } from "../../../../src/machine/schedule/cores.ts";
import { dtypes } from "../../../../src/tensor/dtype.ts";
import { stageOf } from "../../../device/kernels/attention/tile.ts";
import { depthOf, runOf, sumsOf, widthOf, type GemmSpec } from "../../../device/kernels/matrix/spec.ts";
import { roundedUp, type Tile } from "../../../device/kernels/matrix/tile.ts";
import type { Copies } from "../compiler.ts";
import type { Told } from "../told.ts";

export type Cut = {
  /** Rows and columns of a result that a core takes at a time, and depth that is staged at a time. */
  readonly m: number;
  readonly n: number;
  readonly depth: number;
  /** Columns of buffers: whole fractals. */
  readonly width: number;
  /** Rows of a block of an expert's, as the plan lists them. */
  readonly height: number;
  readonly copies: Copies;
  readonly told: Told;
};

/** Runs of columns with sums of their own. */
export const isGrouped = (spec: GemmSpec): boolean => sumsOf(spec) > 1;

/** Depth of one scale: sums of it stand alone, or codes of it become numbers together. */
const groupDepth = (spec: GemmSpec): number =>
  spec.w.kind === "coded" ? Math.min(spec.w.group, depthOf(spec)) : runOf(spec);

/** Bytes that the vector cores hold at once for each element: of sums on their way out, and of weights that they make. */
const held = { groupedSums: 16, sums: 8, stored: 4, wholes: 8, numbers: 20 } as const;

/** Bytes for an element of sums that the vector cores take; where the cube stores straight into their space, what it stored lies there besides. */
function heldSums({ matrix, vector, paths }: Profile, spec: GemmSpec): number {
  if (spec.w.kind !== "integer" && !spec.bias) return 0;
  const isStraight = paths.some((it) => it.from === matrix.c && it.to === vector.space);
  return (isGrouped(spec) ? held.groupedSums : held.sums) + (isStraight ? held.stored : 0);
}

/** Bytes for an element of weights that the vector cores make: numbers of codes by way of float32, or whole numbers of fewer bits. */
const heldWeights = ({ a, w }: GemmSpec): number => (w.kind === "coded" ? held.numbers : w.dtype !== a.dtype ? held.wholes : 0); // prettier-ignore

const downTo = (rows: number): number => Math.max(16, Math.floor(rows / 16) * 16);

/**
 * The plan's tile, as far as the compiler has room for it. Depth is less where a scale ends, and where two copies do not fit: rows and weights are staged
 * alike. Rows, and if need be columns, are fewer where the vector cores have to hold more of a tile at once than they can.
 */
export function cutOf(profile: Profile, spec: GemmSpec, { area, staged, sums }: Tile): Cut {
  const fractal = spec.a.dtype === "i8" ? 32 : 16;
  const asked = roundedUp(Math.min(staged.k, depthOf(spec)), fractal);
  const run = Math.min(asked, roundedUp(groupDepth(spec), fractal));
  const turns = staged.copies < 2 ? 1 : 2;
  const room = (space: string): number => usableBytes(spaceOf(profile, space));
  const cores = coresOf(profile, profile.vector.core);
  const vector = room(profile.vector.space);
  const [sumBytes, weightBytes] = [heldSums(profile, spec), heldWeights(spec)];
  const least = (16 * sumBytes + Math.min(run, fractal) * weightBytes) / cores;
  const n = Math.min(area.n, least > 0 ? Math.floor(vector / least / fractal) * fractal : Infinity);
  const width = roundedUp(Math.min(n, widthOf(spec)), fractal);
  const share = width / cores;
  const most = Math.min(
    room(stageOf(profile)) / (turns * (roundedUp(area.m, 16) + width) * (dtypes[spec.a.dtype].bits / 8)),
    weightBytes > 0 ? vector / (sumBytes > 0 ? 2 : 1) / (weightBytes * share) : Infinity,
  );
  let depth = run;
  while (depth > most && depth > fractal) depth = roundedUp(depth / 2, fractal);
  const left = vector - weightBytes * share * depth;
  const m = sumBytes > 0 ? Math.min(area.m, downTo(left / (sumBytes * share))) : area.m;
  return {
    m,
    n,
    depth,
    width,
    height: area.m,
    copies: turns === 1 ? "none" : sums.copies < 2 ? "all but accumulators" : "all",
    told: told({ ...area, k: asked }, { m, n, k: depth }, run),
  };
}

type Size = { readonly m: number; readonly n: number; readonly k: number };

/** What is said of a tile beside the plan's, whose depth could have been `run`. */
function told(planned: Size, taken: Size, run: number): Told {
  const sizes = ({ m, n, k }: Size): string => `${m}x${n}x${k}`;
  const reasons = [
    ...(run < planned.k ? ["a scale ends there"] : []),
    ...(taken.k < run ? ["rows and weights are staged alike, twice"] : []),
    ...(taken.m < planned.m || taken.n < planned.n ? ["the vector cores hold less of a tile"] : []),
  ];
  const differs = `the plan has ${sizes(planned)}: ${reasons.join(", ")}`;
  return { tile: sizes(taken), ...(reasons.length > 0 && { differs }) };
}
