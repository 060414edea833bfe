import type { Profile } from "../../../../src/machine/profile.ts";
import { lanes } from "../../../../src/machine/schedule/vector-ops.ts";
import type { Kernel } from "../../../../src/machine/schedule/kernel.ts";
import { dtypes, type DType } from "../../../../src/tensor/dtype.ts";
import { named, sizeOf, typesOf } from "../name.ts";
import { blockedTile, leaving, overBlocks } from "./leaving.ts";
import { columnScales, input, operand, scalesNeed } from "./operand.ts";
import { roundingText, type Rounding } from "./round-rows.ts";
import { buffer, headsOf, kernelOf, lines, overColumns, tensor, type View } from "./tile.ts"; // prettier-ignore

/** What a norm reads and gives. What is left out is not computed. */
export type NormSpec = {
  readonly x: View;
  /** Added to x before; `sum` then takes x + residual. */
  readonly residual?: View;
  /** Added to the residual before that. */
  readonly more?: View;
  readonly sum?: View;
  readonly gain: DType;
  readonly eps: number;
  readonly out?: View;
  /** The norm rounded to int8 besides, or instead; one head only. */
  readonly rounded?: Rounding;
};

const bytes = (dtype: DType): number => dtypes[dtype].bits / 8;
const widthOf = (views: readonly View[]): number => views.reduce((n, it) => n + bytes(it.dtype), 0);

/** Copies of what is loaded: rows are not touched again before their sum is known, and the next are on their way. */
const loads = 3;

const nameOf = ({ x, residual, more, out, rounded }: NormSpec): string =>
  named(
    more ? "addAddRmsNorm" : residual ? "addRmsNorm" : "rmsNorm",
    sizeOf(x),
    typesOf(x.dtype, out?.dtype),
    rounded && "i8",
    (out?.nz || rounded?.nz) && "nz",
  );

/**
 * gain * x / sqrt(mean(x^2) + eps) over rows (Zhang and Sennrich 2019, eq. 4), in float32. Tensors: `x`, `residual`, `more`, `gain` [width]; `sum`,
 * `out`, `codes` i8 [S, width] and `scales` f32 [S], those that the spec has.
 */
export function rmsNorm(profile: Profile, spec: NormSpec): Kernel {
  const { x, residual, more, sum, gain, out } = spec;
  const { width } = x;
  const heads = headsOf(x);
  const rounding = roundingText(profile, width, spec.rounded);
  const inputs = [x, residual, more].flatMap((it) => it ?? []);
  const isMoreConverted = more !== undefined && more.dtype !== "f32";
  const scales = scalesNeed(profile, inputs, loads);
  const summing = sum && { operand: "sum", view: sum, buffer: "sum0", copies: 2 };
  const norming = out && { operand: "out", view: out, buffer: "y", copies: 2 };
  const outputs = [summing, norming, rounding.output].flatMap((it) => (it ? [it] : []));
  const need = {
    chunk: loads * widthOf(inputs) + (isMoreConverted ? 8 : 4) + rounding.need.chunk + scales.chunk,
    row: 4,
    once: 4 + (gain === "f32" ? 0 : bytes(gain)) + scales.once,
    column: 2 + rounding.need.column + scales.column,
  };
  const quantum = Math.max(lanes, spec.rounded?.rotation ?? 1);
  const one = blockedTile(profile, x, outputs, need, quantum);
  // Rows that come in pieces keep the lanes of their sum from piece to piece, so that it is that of the whole row.
  const inPieces = one.cols < width;
  const tile = inPieces
    ? blockedTile(profile, x, outputs, { ...need, column: need.column + lanes }, quantum)
    : one;
  const summed = summing && leaving(profile, summing, tile);
  const normed = norming && leaving(profile, norming, tile);
  const make = buffer(profile);
  const rows = tile.rows * heads;
  const [here, whole] = ["h[0 : lines, c : cols]", "w[0 : lines, 0 : cols]"];
  const [total, squares] = ["total[0 : lines, 0 : 1]", `squares[0 : lines, 0 : ${lanes}]`];
  const first = operand(profile, "x", x, tile, loads, here);
  const second = residual && operand(profile, "residual", residual, tile, loads, whole);
  const third = more && operand(profile, "more", more, tile, loads, "v[0 : lines, 0 : cols]");
  const load = lines(
    first.load,
    second?.load,
    third?.load,
    first.convert,
    second?.convert,
    third?.convert,
    second && third && `vector add ${second.box}, ${third.box} -> ${whole}`,
    second && `vector add ${first.box}, ${third ? whole : second.box} -> ${here}`,
    !second && first.box !== here && `vector copy ${first.box} -> ${here}`,
    summed?.perChunk,
    summed && `vector copy ${here} -> ${summed.box}`,
    summed?.chunk,
    `vector mul ${here}, ${here} -> ${whole}`,
    inPieces ? `vector addRuns ${squares}, ${whole} -> ${squares}` : `vector sum ${whole} -> ${total}`,
  );
  const scale = lines(
    inPieces && `vector sum ${squares} -> ${total}`,
    `vector muls ${total} -> ${total} with ${1 / width}`,
    `vector adds ${total} -> ${total} with ${spec.eps}`,
    `vector sqrt ${total} -> ${total}`,
    `vector reciprocal ${total} -> ${total}`,
  );
  const store = lines(
    `vector mulColumn ${here}, ${total} -> ${here}`,
    `vector mulRow ${here}, g[0 : 1, c : cols] -> ${here}`,
    normed?.perChunk,
    normed && `vector copy ${here} -> ${normed.box}`,
    normed?.chunk,
  );
  return kernelOf(
    profile,
    lines(
      `kernel ${nameOf(spec)} for ${profile.name}`,
      "size S",
      input("x", x),
      residual && input("residual", residual),
      more && input("more", more),
      `tensor gain: ${gain}[${width}] in`,
      sum && tensor("sum", sum, "out"),
      out && tensor("out", out, "out"),
      rounding.tensors,
      `on ${profile.vector.core} {`,
      gainRow(profile, gain, width),
      columnScales(profile, "x", x),
      residual && columnScales(profile, "residual", residual),
      more && columnScales(profile, "more", more),
      rounding.before(tile),
      overBlocks(
        tile,
        heads,
        lines(
          make("h", "f32", rows, width),
          make("w", "f32", rows, tile.cols),
          isMoreConverted && make("v", "f32", rows, tile.cols),
          make("total", "f32", rows, 1),
          inPieces && make("squares", "f32", rows, lanes),
          inPieces && `vector fill -> ${squares} with 0`,
          overColumns(tile, width, load),
          scale,
          overColumns(tile, width, store),
          rounding.rows(tile),
        ),
        outputs.map((it) => leaving(profile, it, tile)),
      ),
      "}",
    ),
  );
}

/** The gain as float32, [1, width] of `g`. */
const gainRow = (profile: Profile, dtype: DType, width: number): string => {
  const make = buffer(profile);
  const row = `[0 : 1, 0 : ${width}]`;
  return dtype === "f32"
    ? lines(make("g", "f32", 1, width), `copy gain -> g${row}`)
    : lines(
        make("g0", dtype, 1, width),
        `copy gain -> g0${row}`,
        make("g", "f32", 1, width),
        `vector copy g0${row} -> g${row}`,
      );
};
