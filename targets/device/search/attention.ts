/**
 * The best cut of attention on a machine. Sums are kept by the vector cores or stay in memory, keys are whole or in pieces: of each way the best by
 * formula, and of these the fastest.
 */
import { fail } from "../../../src/support/diagnostics.ts";
import type { Profile } from "../../../src/machine/profile.ts";
import { coresOf } from "../../../src/machine/schedule/cores.ts";
import type { Reader } from "../../../src/machine/simulate/reader.ts";
import { time } from "../../../src/machine/simulate/time.ts";
import {
  attention,
  attentionScores,
  shapeOf,
  type AttentionCut,
  type AttentionSpec,
} from "../kernels/attention/attention.ts";
import { combine } from "../kernels/attention/combine.ts";
import { dealtTiles, isDealt } from "../kernels/attention/dealt.ts";
import { slicedTiles } from "../kernels/attention/sliced-tile.ts";
import { storedTile } from "../kernels/attention/stored-tile.ts";
import { risen } from "../kernels/attention/stored.ts";
import { attentionTiles, lacking } from "../kernels/attention/tile.ts";
import { attentionKey, type TileMemory } from "./remembered.ts";
import { headsOf } from "../kernels/vector/tile.ts";

/** Cuts whose sums the vector cores keep that are timed. */
const trials = 4;

/** Queries that are timed at most: more do alike. */
const enough = 1024;

/** Sequences for each group and keys of each that are timed where nobody says how many there are. */
const usual = { sequences: 2, keys: 2048 };

/** All cuts worth timing. What can be cut in pieces keeps room for results of four bytes; where there are many queries, tiles without that room are tried too. */
export function attentionCuts(profile: Profile, spec: AttentionSpec): readonly AttentionCut[] {
  const shape = shapeOf(spec);
  const stored = storedTile(profile, shape)?.tile;
  const sliced = slicedTiles(profile, shape, trials);
  const { sequences, keys: _keys, ...whole } = shape;
  const wholes = sequences !== undefined && shape.queries > 1 && sliced.length === 0 ? attentionTiles(profile, whole, trials) : []; // prettier-ignore
  const found = [
    ...attentionTiles(profile, shape, trials),
    ...(stored ? [stored] : []),
    ...sliced,
    ...wholes,
    ...dealtTiles(profile, shape, trials),
  ];
  return found.flatMap((it) => (it.pieces > 1 ? [it, { ...it, pieces: 1 }] : [it]));
}

/** The fastest cut; deterministic. What `memory` has is taken from there, and what is found is added. Throws `device/no-attention` where none fits. */
export function bestAttention(
  profile: Profile,
  spec: AttentionSpec,
  memory: TileMemory = new Map(),
): AttentionCut {
  const cuts = attentionCuts(profile, spec);
  const [first] = cuts;
  if (!first) return fail("device/no-attention", undefined, profile.name, spec.q.width, spec.q.dtype, lacking(profile, shapeOf(spec))); // prettier-ignore
  if (cuts.length === 1) return first;
  const key = attentionKey(profile, spec);
  const known = memory.get(key);
  const chosen = known && "choice" in known ? cuts[known.choice] : undefined;
  if (chosen) return chosen;
  const taken = cuts.map((cut, choice) => ({ cut, choice, cycles: cyclesOf(profile, spec, cut) }));
  const { cut, choice, cycles } = taken.reduce((best, it) => (it.cycles < best.cycles ? it : best));
  memory.set(key, { choice, cycles });
  return cut;
}

/** Cycles of attention for as many sequences, queries and keys as its specification tells. */
export function cyclesOf(profile: Profile, spec: AttentionSpec, cut: AttentionCut): number {
  const sequences = spec.sequences ?? usual.sequences * profile.groups.value;
  const keys = spec.keys ?? usual.keys;
  const queries = Math.min(spec.queries, keys, enough);
  return cyclesOfCall(profile, spec, cut, { sequences, queries, past: keys - queries });
}

export type AttentionCall = {
  /** Sequences, new tokens of each, and positions before them. */
  readonly sequences: number;
  readonly queries: number;
  readonly past: number;
  /** The share of turns in which sums that stay in memory are brought to a new maximum; none where it is absent. */
  readonly rising?: number;
};

/** What a vector core finds when it asks whether maxima have risen: that they have in a share of turns, evenly spread, for all cores of a group. */
function risingIn(share: number, cores: number): Reader {
  let asked = 0;
  return (box) => {
    if (box !== risen) return 0;
    const turn = Math.floor(asked++ / cores);
    return Math.floor((turn + 1) * share) - Math.floor(turn * share);
  };
}

/** Cycles of attention in one call, and of what makes scores by themselves, or puts pieces together. */
export function cyclesOfCall(
  profile: Profile,
  spec: AttentionSpec,
  cut: AttentionCut,
  { sequences, queries, past, rising = 0 }: AttentionCall,
): number {
  const sizes = new Map([["B", sequences], ["S", queries], ["P", past]]); // prettier-ignore
  const launch = profile.launch.value * profile.clock.value;
  const kernel = attention(profile, spec, cut);
  const reader = risingIn(rising, coresOf(profile, profile.vector.core));
  // Turns that differ by what is read of them are walked through one by one.
  const scores = isDealt(cut) ? time(attentionScores(profile, spec), profile, { sizes }).cycles + launch : 0; // prettier-ignore
  const { cycles } = rising > 0 ? time(kernel, profile, { sizes, reader }, () => {}) : time(kernel, profile, { sizes }); // prettier-ignore
  if (cut.pieces === 1) return scores + cycles;
  const { width, dtype: out } = spec.out;
  const rows = new Map([["S", sequences * queries * headsOf(spec.out)]]);
  const together = time(combine(profile, { pieces: cut.pieces, width, out }), profile, { sizes: rows });
  return cycles + together.cycles + launch;
}
