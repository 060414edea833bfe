/** What the vector unit's space holds beside a product, and how many rows of it at a time. */
import type { Profile } from "../../../../src/machine/profile.ts";
import { spaceOf, usableBytes } from "../../../../src/machine/rates.ts";
import { bufferBytes } from "../../../../src/machine/verify/capacity.ts";
import type { DType } from "../../../../src/tensor/dtype.ts";
import { castSteps, pitch } from "../vector/tile.ts";
import { rowsAhead } from "./ahead.ts";
import { flowOf, type Flow } from "./flow.ts";
import { scaleCopies } from "./made.ts";
import { sumsOf, type GemmSpec } from "./spec.ts";
import { besideCopies, floatCopies, ownRows, piecesOf } from "./results.ts";
import { roundedUp, type Tile } from "./tile.ts";

type BufferSize = {
  readonly dtype: DType;
  readonly rows: number;
  readonly cols: number;
  readonly copies: number;
};

const sized = (dtype: DType, rows: number, cols: number, copies = 1): BufferSize => ({ dtype, rows, cols: cols === 1 ? 1 : pitch(dtype, cols), copies }); // prettier-ignore

/** Buffers of the way out, `rows` at a time. The rows of a sum of sums stay there whole. */
function outgoing(
  profile: Profile,
  spec: GemmSpec,
  flow: Flow,
  tile: Tile,
  rows: number,
): readonly BufferSize[] {
  if (flow.leaves === "straight") return [];
  const { out, w, bias } = spec;
  const isConverted = flow.acc !== "f32";
  const isSummed = sumsOf(spec) > 1;
  return piecesOf(flow, spec, tile).flatMap((piece) => {
    const { width } = piece;
    const own = ownRows(profile, flow, piece);
    return [
      sized(flow.acc, rows, width, 2),
      ...(isConverted ? [sized("f32", rows, width, floatCopies(spec))] : []),
      ...(isSummed ? [sized("f32", own, width)] : []),
      ...(w.kind === "integer"
        ? [sized("f32", 1, width, besideCopies(flow)), sized("f32", own, 1, besideCopies(flow))]
        : []),
      ...(bias ? [sized("f32", 1, width, besideCopies(flow))] : []),
      ...castSteps(profile, "f32", out.dtype).map((it) => sized(it, rows, width)),
      ...(out.dtype === "f32" && !isSummed ? [] : [sized(out.dtype, rows, width, 2)]),
    ];
  });
}

/** Buffers in which weights are made, `rows` at a time. */
function making(
  profile: Profile,
  spec: GemmSpec,
  flow: Flow,
  tile: Tile,
  rows: number,
): readonly BufferSize[] {
  if (!flow.isMade) return [];
  const { w } = spec;
  const depth = tile.staged.k;
  if (w.kind !== "coded")
    return [
      sized(w.dtype, rows, depth, 2),
      ...castSteps(profile, w.dtype, flow.weight).map((it) => sized(it, rows, depth)),
      sized(flow.weight, rows, depth, 2),
    ];
  return [
    sized(w.dtype, rows, depth, 2),
    ...castSteps(profile, w.dtype, "f32").map((it) => sized(it, rows, depth)),
    sized("f32", rows, depth, flow.weight === "f32" ? 2 : 1),
    sized("f32", rows, 1, scaleCopies(flow)),
    ...(w.zeros ? [sized("f32", rows, 1, scaleCopies(flow))] : []),
    ...castSteps(profile, "f32", flow.weight).map((it) => sized(it, rows, depth)),
    ...(flow.weight === "f32" ? [] : [sized(flow.weight, rows, depth, 2)]),
  ];
}

function bytesOf(profile: Profile, buffers: readonly BufferSize[]): number {
  const space = spaceOf(profile, profile.vector.space);
  return buffers.reduce((n, it) => n + it.copies * bufferBytes(it, space), 0);
}

/** Rows that the vector unit takes at a time, at most. */
const most = 64;

/**
 * The most rows that are taken at a time of a core's own: where they come through memory all at once, half of them, so that the others are loaded while it works on
 * these and stored behind them.
 */
function outAtOnce(profile: Profile, flow: Flow, spec: GemmSpec, tile: Tile): number {
  const [first] = piecesOf(flow, spec, tile);
  if (flow.isWhole || !first) return most;
  const own = ownRows(profile, flow, first);
  return Math.min(most, roundedUp(Math.ceil(first.high < tile.area.m ? own : own / 2), 8));
}

/** Rows of the result, and of weights being made, that the vector unit takes at a time. */
export type VectorRows = { readonly out: number; readonly made: number };

/** As many as fit in the half of its space that is for each, and a multiple of 8, so that their scales start where they can be addressed. */
export function vectorRows(profile: Profile, spec: GemmSpec, tile: Tile): VectorRows {
  const flow = flowOf(profile, spec);
  const room =
    usableBytes(spaceOf(profile, profile.vector.space)) / (flow.isMade && flow.leaves === "vector" ? 2 : 1);
  const fitting = (of: typeof outgoing, limit: number): number => {
    let rows = limit;
    while (rows > 8 && bytesOf(profile, of(profile, spec, flow, tile, rows)) > room)
      rows = Math.max(8, Math.floor(rows / 16) * 8);
    return rows;
  };
  return { out: fitting(outgoing, outAtOnce(profile, flow, spec, tile)), made: fitting(making, most) };
}

/** Bytes that a tile takes of the vector unit's space. */
export function vectorNeed(profile: Profile, spec: GemmSpec, tile: Tile): number {
  const flow = flowOf(profile, spec);
  const rows = vectorRows(profile, spec, tile);
  return bytesOf(profile, [
    ...outgoing(profile, spec, flow, tile, rows.out),
    ...making(profile, spec, flow, tile, rows.made),
    ...(tile.staged.ahead === undefined ? [] : [sized(spec.a.dtype, rowsAhead(profile, tile), tile.staged.k)]), // prettier-ignore
  ]);
}
