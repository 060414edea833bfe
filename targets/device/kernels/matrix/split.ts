/** Products on groups of cores with one unit each: what these hand each other goes through memory. */
import type { Profile } from "../../../../src/machine/profile.ts";
import { lines } from "../vector/tile.ts";
import { readAhead, readBehind, readOut } from "./ahead.ts";
import type { Flow } from "./flow.ts";
import {
  closed,
  given,
  opened,
  slotOf,
  sumsHands,
  taken,
  tensorOf,
  weightsHand,
  type Hand,
  type SumsHand,
} from "./hands.ts";
import { makeWeights } from "./made.ts";
import { accumulatorFlags, emptied, held, product, stored, stores, straight } from "./product.ts";
import { pieceWork, type PieceWork } from "./results.ts";
import { vectorRows } from "./room.ts";
import { depthOf, sumsOf, type GemmSpec } from "./spec.ts";
import { tasks } from "./tasks.ts";
import type { Tile } from "./tile.ts";

/** What goes through memory: sums, piece by piece, and weights that are made. */
type Hands = { readonly sums: readonly SumsHand[]; readonly weights: readonly Hand[] };

const handsOf = (profile: Profile, flow: Flow, spec: GemmSpec, tile: Tile): Hands => ({
  sums: flow.leaves === "vector" ? sumsHands(profile, flow, spec, tile) : [],
  weights: flow.isMade ? [weightsHand(profile, flow, tile)] : [],
});

/** The tensors through which they go. */
export function sharedTensors(profile: Profile, flow: Flow, spec: GemmSpec, tile: Tile): string {
  const { sums, weights } = handsOf(profile, flow, spec, tile);
  return lines(...[...sums, ...weights].map(tensorOf));
}

/** The parts of the kernel, core by core. */
export function split(profile: Profile, flow: Flow, spec: GemmSpec, tile: Tile): readonly string[] {
  const hands = handsOf(profile, flow, spec, tile);
  const { core } = profile.vector;
  return [
    `on ${profile.matrix.core} {`,
    ofMatrixCore(profile, flow, spec, tile, hands),
    "}",
    ...(hands.sums.length + hands.weights.length > 0
      ? [`on ${core} {`, ofVectorCore(profile, flow, spec, tile, hands), "}"]
      : []),
    ...(tile.staged.ahead === undefined
      ? []
      : [`on ${core} {`, tasks(spec, tile, readAhead(profile, flow, spec, tile)), readOut(profile, flow, tile), "}"]), // prettier-ignore
  ];
}

function ofMatrixCore(
  profile: Profile,
  flow: Flow,
  spec: GemmSpec,
  tile: Tile,
  { sums, weights }: Hands,
): string {
  const made = weights.map(
    (it) =>
    lines(`let slot = ${slotOf(it)}`, taken(it, `copy ${it.tensor}[slot : cols, 0 : depth] -> w1[0 : cols, 0 : depth]`)), // prettier-ignore
  );
  const leave = lines(...sums.map((it) => given(it, leaving(profile, flow, tile, it))));
  return lines(
    accumulatorFlags(profile, flow, tile, "set"),
    ...weights.map(opened),
    readBehind(profile, flow, tile).begin,
    tasks(
      spec,
      tile,
      product(
        profile,
        flow,
        spec,
        tile,
        flow.isMade ? lines(...made) : stored(spec),
        flow.leaves === "vector" ? leave : straight(profile, flow, spec, tile),
      ),
      held(flow, spec, tile),
    ),
    accumulatorFlags(profile, flow, tile, "wait"),
    ...sums.map(closed),
  );
}

/** What takes a piece's sums out of the accumulators, into its slot; where a tile is one piece, part by part of them. */
function leaving(profile: Profile, flow: Flow, tile: Tile, hand: SumsHand): string {
  const { p, above, high, from, width, rows, cols } = hand.piece;
  const slot = `let slot${p} = ${slotOf(hand)}`;
  if (high === tile.area.m && width === tile.area.n)
    return lines(
      slot,
      stores(profile, flow, tile, (r, c) => `${hand.tensor}[slot${p} + ${r}, ${c}]`),
    );
  return lines(
    slot,
    `let high${p} = ${rows}`,
    `let wide${p} = ${cols}`,
    emptied(profile, flow, tile, p, `copy acc[${above} : high${p}, ${from} : wide${p}] -> ${hand.tensor}[slot${p} : high${p}, 0 : wide${p}]`), // prettier-ignore
  );
}

function ofVectorCore(
  profile: Profile,
  flow: Flow,
  spec: GemmSpec,
  tile: Tile,
  { sums, weights }: Hands,
): string {
  const rows = vectorRows(profile, spec, tile);
  const works = sums.map((hand) => ({ hand, ...pieceWork(profile, flow, spec, hand.piece, rows.out) }));
  const each = lines(
    ...weights.map((it) => giveWeights(profile, flow, spec, tile, it)),
    ...works.map((work) => takeSums(work.hand, work.each)),
  );
  return lines(
    ...sums.map(opened),
    tasks(
      spec,
      tile,
      lines(...works.map((it) => it.begin), overSums(spec, each), ...works.map((it) => it.end)),
    ),
    ...weights.map(closed),
  );
}

/** What takes a piece's sums out of its slot, rows `r` from where the core's own begin. */
function takeSums(hand: SumsHand, work: PieceWork["each"]): string {
  const { tensor, piece: { p } } = hand; // prettier-ignore
  const works = work((r) => `${tensor}[slot${p} + ${r}, 0 : c${p}]`);
  return lines(`let slot${p} = ${slotOf(hand)}`, taken(hand, works));
}

/** For each sum of a result, its depth from `from` to `to`. */
function overSums(spec: GemmSpec, each: string): string {
  const sums = sumsOf(spec);
  if (sums === 1) return lines("let from = 0", `let to = ${depthOf(spec)}`, each);
  const group = spec.w.kind === "integer" ? spec.w.group : depthOf(spec);
  return lines(
    `for g in 0 .. ${sums} {`,
    `let from = g * ${group}`,
    `let to = min(${depthOf(spec)}, from + ${group})`,
    each,
    "}",
  );
}

/** Weights of a tile, of which each vector core makes its lot. */
const giveWeights = (profile: Profile, flow: Flow, spec: GemmSpec, tile: Tile, hand: Hand): string =>
  lines(
    "let half = ceil(cols, cores)",
    "let low = min(cols, core * half)",
    "let lot = min(half, cols - low)",
    `for k in from .. to step ${tile.staged.k} {`,
    `let depth = min(${tile.staged.k}, to - k)`,
    `let slot = ${slotOf(hand)}`,
    given(hand, makeWeights(profile, flow, spec, tile, vectorRows(profile, spec, tile).made, (it) => `${hand.tensor}[slot + ${it}, 0 : depth]`)), // prettier-ignore
    "}",
  );
