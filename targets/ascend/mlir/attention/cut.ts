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
const downTo = (n: number): number => Math.max(unit, n - (n % unit));

/** Rows whose sums, in three copies, and scores, in two, the vector cores hold: the compiler keeps them there from tile to tile. */
function rowsHeld(profile: Profile, width: number, keys: number): number {
  const words = 3 * width + 2 * keys + unit;
  const each = Math.floor(usableBytes(spaceOf(profile, profile.vector.space)) / (4 * words));
  return downTo(coresOf(profile, profile.vector.core) * each);
}

const headsOf = ({ heads = 1 }: View): number => heads;

/** Rows of q or k of which so many fit where the cube's operands are staged. */
function staged(profile: Profile, { q }: AttentionSpec): number {
  const rowBytes = (dtypes[q.dtype].bits / 8) * q.width;
  return Math.floor(usableBytes(spaceOf(profile, stageOf(profile))) / rowBytes);
}

/** The plan's cut, as far as the compiler has room for it. */
export function attentionCut(profile: Profile, spec: AttentionSpec, planned: PlannedCut): AttentionCut {
  const { q, k, out } = spec;
  const isOfHeads = headsOf(q) > headsOf(k);
  const asked = isOfHeads ? planned.heads : planned.queries;
  const columns = isDealt(planned) ? planned.deal : out.width;
  const room = staged(profile, spec);
  const keys = Math.min(planned.keys, downTo(room - Math.min(asked, unit)));
  const rows = Math.min(asked, rowsHeld(profile, columns, keys), downTo(room - keys));
  const tile = (of: number, at: number): string => `${of} ${isOfHeads ? "heads" : "queries"} x ${at} keys`;
  const isPlanned = rows === asked && keys === planned.keys;
  const differs = `the plan has ${tile(asked, planned.keys)}; the compiler keeps sums on the vector cores, which hold fewer`;
  const told = { tile: tile(rows, keys), ...(!isPlanned && { differs }) };
  return { rows, keys, pieces: planned.pieces, columns, isDealt: isDealt(planned), told };
}

/** Heads and keys that scores are made of at a time. */
export type ScoresCut = { readonly rows: number; readonly keys: number; readonly told: Told };

/** As many heads as share keys, up to a good tile, and keys beside them. */
export function scoresCut(profile: Profile, spec: AttentionSpec): ScoresCut {
  const rows = Math.min(128, headsOf(spec.q) / headsOf(spec.k));
  const keys = Math.min(128, downTo(staged(profile, spec) / 2 - rows));
  return { rows, keys, told: { tile: `${rows} heads x ${keys} keys` } };
}
