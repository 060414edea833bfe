import { spaceOf, usableBytes } from "../../../../src/machine/rates.ts";
import type { Profile } from "../../../../src/machine/profile.ts";
import { coresOf } from "../../../../src/machine/schedule/cores.ts";
import { dtypes } from "../../../../src/tensor/dtype.ts";
import type {
  AttentionCut as PlannedCut,
  AttentionSpec,
} from "../../../device/kernels/attention/attention.ts";
import { isDealt } from "../../../device/kernels/attention/dealt.ts";
import { stageOf } from "../../../device/kernels/attention/tile.ts";
import type { View } from "../../../device/kernels/vector/tile.ts";
import type { Told } from "../told.ts";

/** Rows of queries or, where heads share keys, of a query's heads; keys at a time; pieces that keys are cut into. */
export type AttentionCut = {
  readonly rows: number;
  readonly keys: number;
  readonly pieces: number;
  /** Columns of values that an item takes, and whether its scores were made before. */
  readonly columns: number;
  readonly isDealt: boolean;
  readonly told: Told;
};

const unit = 16;
const downTo = (n: number, to = unit): number => Math.max(unit, n < to ? Math.floor(n / unit) * unit : Math.floor(n / to) * to); // prettier-ignore

/** Whether the vector cores store straight to where the cube's operands are staged, and the cube to them. */
const isStraight = ({ paths, vector }: Profile, stage: string): boolean =>
  paths.some((it) => it.from === vector.space && it.to === stage);

/**
 * Rows that the vector cores hold from tile to tile: each its share, sums in three copies and scores in two. Where the cube stores straight to them,
 * each has room for all rows, in whole fractals of each.
 */
function rowsHeld(profile: Profile, width: number, keys: number): number {
  const words = Math.floor(usableBytes(spaceOf(profile, profile.vector.space)) / 4);
  const cores = coresOf(profile, profile.vector.core);
  if (isStraight(profile, stageOf(profile)))
    return downTo(words / (width + 2 * keys + 2 * unit), cores * unit);
  return downTo(cores * Math.floor(words / (3 * width + 2 * keys + unit)));
}

const headsOf = ({ heads = 1 }: View): number => heads;

/** Elements of what is multiplied of which so many fit where the cube's operands are staged. */
const staged = (profile: Profile, { q }: AttentionSpec): number =>
  usableBytes(spaceOf(profile, stageOf(profile))) / (dtypes[q.dtype].bits / 8);

/**
 * Keys of which so many fit beside some rows. Where the vector cores store weights straight to the cube, they lie there beside two copies of the keys,
 * and values; else keys alone have to.
 */
function keysHeld(profile: Profile, spec: AttentionSpec, rows: number): number {
  const { q, out } = spec;
  const room = staged(profile, spec) - rows * q.width;
  if (isStraight(profile, stageOf(profile))) return downTo(room / (2 * q.width + out.width + rows), 8 * unit);
  return downTo(room / q.width);
}

/** The plan's cut, as far as the compiler has room for it. */
export function attentionCut(profile: Profile, spec: AttentionSpec, planned: PlannedCut): AttentionCut {
  const { q, k, out } = spec;
  const isOfHeads = headsOf(q) > headsOf(k);
  const asked = isOfHeads ? planned.heads : planned.queries;
  const columns = isDealt(planned) ? planned.deal : out.width;
  const held = rowsHeld(profile, columns, planned.keys);
  const keys = Math.min(planned.keys, keysHeld(profile, spec, Math.min(asked, held)));
  const rows = Math.min(asked, rowsHeld(profile, columns, keys));
  const tile = (of: number, at: number): string => `${of} ${isOfHeads ? "heads" : "queries"} x ${at} keys`;
  const isPlanned = rows === asked && keys === planned.keys;
  const differs = `the plan has ${tile(asked, planned.keys)}; the compiler keeps sums on the vector cores, and more of the rest at once`;
  const told = { tile: tile(rows, keys), ...(!isPlanned && { differs }) };
  return { rows, keys, pieces: planned.pieces, columns, isDealt: isDealt(planned), told };
}

/** Heads and keys that scores are made of at a time. */
export type ScoresCut = { readonly rows: number; readonly keys: number; readonly told: Told };

/** Heads that share keys, in at most a quarter of the room, and as many keys as there is room for two copies of. */
export function scoresCut(profile: Profile, spec: AttentionSpec): ScoresCut {
  const room = Math.floor(staged(profile, spec) / spec.q.width);
  const rows = Math.min(128, headsOf(spec.q) / headsOf(spec.k), downTo(room / 4));
  const keys = Math.min(128, downTo(Math.floor((room - 2 * rows) / 2)));
  return { rows, keys, told: { tile: `${rows} heads x ${keys} keys` } };
}
