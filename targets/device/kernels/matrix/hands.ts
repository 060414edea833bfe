/** What the cores of a group hand each other through memory, each turn in another slot, and the signals that say which slots are free and which are filled. */
import type { Profile } from "../../../../src/machine/profile.ts";
import type { DType } from "../../../../src/tensor/dtype.ts";
import { lines } from "../vector/tile.ts";
import type { Flow } from "./flow.ts";
import { piecesOf, type Piece } from "./results.ts";
import type { GemmSpec } from "./spec.ts";
import type { Tile } from "./tile.ts";

/** An engine of a core. */
type End = { readonly core: string; readonly engine: string };

/** What lies in a slot: `rows` of `cols`, in a tensor that has all slots one below the other. */
export type Hand = {
  readonly tensor: string;
  readonly dtype: DType;
  readonly rows: number;
  readonly cols: number;
  readonly from: End;
  readonly to: End;
  readonly slots: number;
  /** The first of the signals that slots are free, one a slot, and of those that they are filled. */
  readonly free: number;
  readonly filled: number;
};

/** Sums that are handed over, of a piece of a tile. */
export type SumsHand = Hand & { readonly piece: Piece };

/** The sums of a tile, in so many slots that their way through memory does not hold up the next; or those of each of its pieces, in as many as there are signals for. */
export function sumsHands(profile: Profile, flow: Flow, spec: GemmSpec, tile: Tile): readonly SumsHand[] {
  const { matrix, vector } = profile;
  const pieces = piecesOf(flow, spec, tile);
  const slots = pieces.length > 1 ? 2 : 3;
  return pieces.map((piece) => ({
    piece,
    tensor: `sums${piece.p}`,
    dtype: flow.acc,
    rows: piece.high,
    cols: piece.width,
    from: { core: matrix.core, engine: flow.drain },
    to: { core: vector.core, engine: flow.vectorLoad },
    slots,
    free: 2 * slots * piece.p,
    filled: 2 * slots * piece.p + slots,
  }));
}

/** Slots of made weights, and the signals for them. */
const weightSlots = { slots: 2, free: 6, filled: 8 } as const;

/** Signals between the cores of a group that a product may take; no kernel takes more. */
export const mostSignals = weightSlots.filled + weightSlots.slots;

/** Weights that the vector cores make: of one tile while that before is multiplied. */
export const weightsHand = ({ matrix, vector }: Profile, flow: Flow, { area, staged }: Tile): Hand => ({
  tensor: "made",
  dtype: flow.weight,
  rows: area.n,
  cols: staged.k,
  from: { core: vector.core, engine: flow.vectorStore },
  to: { core: matrix.core, engine: flow.load },
  ...weightSlots,
});

/** The tensor in whose slots it lies. */
export const tensorOf = ({ tensor, dtype, rows, cols, slots }: Hand): string =>
  `tensor ${tensor}: ${dtype}[${slots * rows}, ${cols}] shared`;

/** Where the slot of this turn begins. */
export const slotOf = ({ slots, rows }: Hand): string => `turn mod ${slots} * ${rows}`;

/** What fills a slot, when it is free. */
export const given = ({ from, to, slots, free, filled }: Hand, body: string): string =>
  lines(
    `await ${to.core} -> ${from.engine} #${free} x${slots}`,
    body,
    `signal ${from.engine} -> ${to.core} #${filled} x${slots}`,
  );

/** What empties a slot, when it is filled. */
export const taken = ({ from, to, slots, free, filled }: Hand, body: string): string =>
  lines(
    `await ${from.core} -> ${to.engine} #${filled} x${slots}`,
    body,
    `signal ${to.engine} -> ${from.core} #${free} x${slots}`,
  );

const ofSlots = ({ slots, free }: Hand, each: (signal: number) => string): string =>
  lines(...Array.from({ length: slots }, (_, i) => each(free + i)));

/** All slots are free: said by the core that takes, before the first. */
export const opened = (hand: Hand): string =>
  ofSlots(hand, (it) => `signal ${hand.to.engine} -> ${hand.from.core} #${it}`);

/** All slots are free again: awaited by the core that gives, behind the last. */
export const closed = (hand: Hand): string =>
  ofSlots(hand, (it) => `await ${hand.to.core} -> ${hand.from.engine} #${it}`);
