/** How long a tiled product takes, by formula: each engine's work on one tile, the slowest of them, and what does not overlap. */
import { globalSpace, type Path, type Profile } from "../../../src/machine/profile.ts";
import {
  matrixRate,
  memoryBytesPerCycle,
  pathBetween,
  pathRate,
  roomOf,
} from "../../../src/machine/rates.ts";
import { coresOf } from "../../../src/machine/schedule/cores.ts";
import { evenOffsets } from "../../../src/plan/program/row-blocks.ts";
import { dtypes, type DType } from "../../../src/tensor/dtype.ts";
import { flowOf } from "../kernels/matrix/flow.ts";
import { depthOf, isFractal, sumsOf, widthOf, type GemmSpec } from "../kernels/matrix/spec.ts";
import { blocksOf, type Blocks } from "./blocks.ts";
import { rowsOfMatrices } from "./bounds.ts";
import { isPartByPart, partHeight, partWidth, type Tile } from "../kernels/matrix/tile.ts";

const bytes = (dtype: DType, n: number): number => (n * dtypes[dtype].bits) / 8;

/** How much longer rows of so many bytes take than their bytes, as paths move whole units. */
const filling = (path: Path | undefined, row: number): number => (path ? roomOf(path, row) / row : 1);

/** Cycles of copies of so many elements of a dtype in so many instructions; `fill` is what their rows take besides. */
const copying = (
  path: Path | undefined,
  dtype: DType,
  elements: number,
  instructions: number,
  fill = 1,
): number =>
  path
    ? instructions * path.startup.value +
      Math.max(
        (fill * bytes(dtype, elements)) / path.bytesPerCycle.value,
        (elements / pathRate(path, dtype)) * bytes(dtype, 1),
      )
    : 0;

/** Passes over an element in float32 that the vector unit makes of a sum, and of a weight that it makes, about. */
const passes = { sum: 5, weight: 5 } as const;

/** The share of the other engines' work that stands in the way of the busiest, about. */
const spare = 0.03;

/** What of a tile's operands is staged: its bytes, those of them that come from memory, its rows, and the instructions. */
type Staged = {
  readonly bytes: number;
  readonly missed: number;
  readonly rows: number;
  readonly instructions: number;
  /** Whether rows must become fractals. */
  readonly isRearranged: boolean;
};

/** Cycles that a task takes among others, of its first copies, and of what is left behind the last. */
type Task = { readonly cycles: number; readonly first: number; readonly last: number };

/** Rounds of copies until they follow one another as all later ones do, and rounds that are taken for those. */
const rounds = { before: 2, of: 2 } as const;

/**
 * Cycles in which the operands of a group are staged, each group getting so much of memory: some copies as the engine goes through them, one of
 * the first operand and its share of the second's in turn. What comes of memory and of the cache follow one another, but for what is asked ahead.
 */
function stager(profile: Profile, stage: Path, rate: number) {
  const ofCore = Math.min(rate, profile.memory.coreBytesPerCycle?.value ?? Infinity);
  const latency = stage.latency?.value ?? 0;
  const copyOf = ({ bytes, missed, rows, instructions, isRearranged }: Staged, share: number) => {
    const { rowCycles, coreBytesPerCycle } = (isRearranged ? stage.rearranging : undefined) ?? {};
    const most = Math.min(ofCore, coreBytesPerCycle?.value ?? Infinity);
    const ofMemory = Math.min(most, share);
    return {
      instructions,
      own: stage.startup.value + Math.max(rows * (rowCycles?.value ?? 0), bytes / rate) / instructions,
      fetched: missed / ofMemory / instructions,
      hits: Math.max(0, bytes - missed) / rate / instructions,
      window: (latency * most) / ofMemory,
    };
  };
  return (a: Staged, w: Staged, share: number): number => {
    const [first, second] = [copyOf(a, share), copyOf(w, share)];
    const each = Math.max(1, Math.round(second.instructions / first.instructions));
    const round = [first, ...Array.from({ length: each }, () => second)];
    let [engine, memory, ahead, from] = [0, 0, 0, 0];
    for (let i = 0; i < rounds.before + rounds.of; i++) {
      if (i === rounds.before) from = engine;
      for (const { own, fetched, hits, window } of round) {
        if (fetched > 0) memory = Math.max(memory, engine) + fetched;
        // As in the simulator (bandwidth.ts, aheadOf): what little is asked for leaves the requests before it on the way.
        if (fetched > 0 && window > 0) ahead += Math.min(1, fetched / window) * (window - latency - ahead);
        engine = Math.max(engine + own, fetched > 0 ? memory - ahead + hits : 0);
      }
    }
    return ((engine - from) / rounds.of) * (second.instructions / each);
  };
}

/** Estimates the cycles of a product's kernels for so many rows; of experts, the rows are dealt out evenly unless `offsets` says otherwise. */
export function estimator(
  profile: Profile,
  spec: GemmSpec,
  rows: number,
  offsets = evenOffsets(spec.experts ?? 1, rows),
): (tile: Tile) => number {
  const { matrix, vector, memory, groups } = profile;
  const flow = flowOf(profile, spec);
  const fragment = matrixRate(profile, spec.a.dtype, flow.weight);
  if (!fragment) return () => Infinity;
  const met = rowsOfMatrices(spec, rows, offsets);
  const perMatrix = Math.max(...met);
  const [wide, deep, matrices, sums] = [widthOf(spec), depthOf(spec), met.length, sumsOf(spec)];
  /** Rows of all heads. */
  const lines = rows * (spec.a.heads ?? 1);
  const [a, w] = [spec.a.dtype, spec.w.dtype];
  const stage = pathBetween(profile, globalSpace, flow.stage);
  const [toA, toB] = [pathBetween(profile, flow.stage, matrix.a), pathBetween(profile, flow.stage, matrix.b)];
  const beside = flow.leaves === "vector" && flow.isWhole;
  const out = pathBetween(profile, matrix.c, beside ? vector.space : globalSpace);
  const outType = flow.leaves === "straight" ? spec.out.dtype : flow.acc;
  const vectors = flow.isWhole ? 1 : coresOf(profile, vector.core);
  const chip = memoryBytesPerCycle(profile) * memory.sustained.value;
  const isByRows = { a: spec.a.nz !== true, w: !isFractal(spec) };
  const rate = stage ? pathRate(stage, a) : 1;
  const loading = stage ? stager(profile, stage, rate) : () => 0;
  const heights = new Map<number, readonly Blocks[]>();
  const blocksAt = (height: number): readonly Blocks[] => {
    const known = heights.get(height) ?? blocksOf(spec, met, height);
    heights.set(height, known);
    return known;
  };
  return (tile) => {
    const { n } = tile.area;
    const { k, step, copies, pieces } = tile.staged;
    const { parts } = tile.sums;
    const across = Math.ceil(wide / n);
    const blocks = blocksAt(tile.area.m);
    const cols = Math.min(n, wide);
    const tasks = blocks.reduce((sum, it) => sum + it.count, 0) * across;
    const turns = Math.ceil(tasks / groups.value);
    const steps = Math.ceil(deep / step);
    const loads = Math.ceil(deep / k);
    // Part by part, what they share is filled in again: at both ends of each sum.
    const atEnds = 1 + (parts - 1) * (isPartByPart(tile, deep / sums) ? 1 : (2 * sums) / loads);
    const broad = Math.ceil(Math.min(cols, partWidth(tile)) / fragment.n);
    const row = filling(stage, bytes(a, Math.min(k, deep)));
    const rowOf = { a: isByRows.a ? row : 1, w: isByRows.w ? row : 1 };
    const isCached = bytes(a, perMatrix * deep) + 2 * bytes(w, cols * deep) <= memory.l2Bytes.value;
    const band = Math.min(tile.band ?? 1, groups.value);
    const missed = {
      a: rowOf.a * bytes(a, lines * deep) * (isCached ? 1 : across / band),
      w: rowOf.w * bytes(w, matrices * wide * deep),
    };
    const again = { a: tile.sums.cut === "columns" ? atEnds : 1, b: tile.sums.cut === "rows" ? atEnds : 1 };
    const sharing = Math.min(tasks, groups.value);
    const store = filling(beside ? undefined : out, bytes(outType, Math.min(cols, partWidth(tile))));
    const weightWork = flow.isMade
      ? (passes.weight * bytes("f32", cols * deep)) / vectors / vector.bytesPerCycle.value
      : 0;
    // What is staged ahead must last until the next has come: its own time on the way, and the latency.
    const ahead = pieces?.copies ?? copies;
    const depths = deep / (pieces?.depth ?? k);
    /** Of one block, in the columns of one tile. */
    const taskOf = ({ rows: m, fresh }: Blocks): Task => {
      const high = Math.ceil(Math.min(m, partHeight(tile)) / fragment.m);
      const cube =
        parts * (high * broad * Math.ceil(deep / fragment.k) * fragment.cycles.value) +
        steps * atEnds * matrix.startup.value;
      const load = loading(
        {
          bytes: rowOf.a * bytes(a, m * deep),
          missed: missed.a / tasks,
          rows: m * loads,
          instructions: loads,
          isRearranged: isByRows.a,
        },
        {
          bytes: rowOf.w * (pieces ? again.b : 1) * bytes(w, cols * deep),
          missed: (missed.w * fresh) / matrices / across,
          rows: cols * loads,
          instructions: deep / (pieces?.depth ?? k),
          isRearranged: isByRows.w,
        },
        chip / sharing,
      );
      const fill =
        copying(toA, a, again.a * m * deep, steps * atEnds) +
        copying(toB, flow.weight, again.b * cols * deep, steps * atEnds);
      const drain = sums * copying(out, outType, m * cols, parts, store);
      const sumWork =
        flow.leaves === "vector"
          ? (sums * passes.sum * bytes("f32", m * cols)) / vectors / vector.bytesPerCycle.value
          : 0;
      const lap = cube / sums / loads / parts;
      const exposed =
        tile.sums.copies > 1 ? 0 : parts > 1 ? parts * Math.max(0, drain / sums / parts - lap) * sums : drain;
      const way = (cube + load) / depths + (stage?.latency?.value ?? 0);
      // Of tiles that the same engine binds, that is faster whose others have more time to spare.
      const friction = spare * (load + fill + drain);
      const cycles =
        friction +
        Math.max(
          cube + exposed,
          ahead > 1 ? (depths * way) / ahead : 0,
          load,
          fill,
          drain,
          sumWork + weightWork,
          copies > 1 ? 0 : load + cube,
        );
      return { cycles, first: load / loads, last: drain / sums + cube / loads + fill / loads };
    };
    const each = blocks.map((it) => ({ ...taskOf(it), share: (it.count * across) / tasks }));
    const [begin, end] = [each[0], each.at(-1)];
    const cycles = each.reduce((sum, it) => sum + it.share * it.cycles, 0);
    const streaming =
      ((missed.a + missed.w + bytes(spec.out.dtype, lines * wide)) / chip) * ((turns * groups.value) / tasks);
    const head = (stage?.latency?.value ?? 0) + (begin?.first ?? 0);
    return Math.max(turns * cycles, streaming) + head + (end?.last ?? 0);
  };
}
