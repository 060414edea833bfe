/** Rows on their way to experts and back: each slot, one choice of one token, has a place in the order of experts. */
import type { Profile } from "../../../../src/machine/profile.ts";
import type { Kernel } from "../../../../src/machine/schedule/kernel.ts";
import { dtypes, type DType } from "../../../../src/tensor/dtype.ts";
import { named, typesOf } from "../name.ts";
import { blockBytes, blockTensors, listBlocks, loadRuns, type BlockLists } from "./row-blocks.ts";
import { box, buffer, cast, castSteps, copies, held, kernelOf, lines, overOwnColumns, overSharedRows, pitch, tensor, tileOf, type View } from "./tile.ts"; // prettier-ignore

/** Copies of a row on its way: each is stored for several slots, so that fewer are under way than where rows are only passed on. */
const underWay = 3;

/** The places of slots, for `overSharedRows`; of those of experts elsewhere there are none, which their experts tell. */
const numbers = (make: ReturnType<typeof buffer>, topK: number, partial: boolean): string => {
  const load = (tensor: string, name: string): string =>
    lines(
      make(name, "i32", 1, held * topK, 2),
      `copy ${tensor}[block * ${topK} : some * ${topK}] -> ${name}[0 : 1, 0 : some * ${topK}]`,
    );
  return lines(load("place", "near"), partial && load("indices", "expert"));
};

/** Work on the place `p` of slot `at`; none for a slot of an expert elsewhere: a loop of one turn or none, whose buffers take turns of their own. */
const slotAt = (at: string, partial: boolean, body: string): string => {
  const here = lines(`read p = near[0, ${at}]`, body);
  return partial ? lines(`read e = expert[0, ${at}]`, "for here in 0 .. min(1, e + 1) {", here, "}") : here;
};

/** Rows to bring into the order of their groups. */
export type PermuteSpec = {
  readonly x: View;
  readonly topK: number;
  /** Some slots are of experts elsewhere, -1 in `indices` i32 [S * topK], and left out. */
  readonly partial: boolean;
  /** Each row of x has a float32 of its own, which goes with it. */
  readonly scaled: boolean;
  readonly blocks: BlockLists;
};

/**
 * Each token's row of x to the places of its slots, and the lists of blocks that these make. Tensors: `x` [S, width], `scales` f32 [S] where rows
 * have one, `place` i32 [S * topK], `offsets` i32 [experts + 1]; `rows` [S * topK, width], `rowScales` f32 [S * topK], and those of `blockTensors`.
 */
export function permuteRows(profile: Profile, { x, topK, scaled, partial, blocks }: PermuteSpec): Kernel {
  const { width, dtype } = x;
  const slots = `S * ${topK}`;
  const rows: View = { dtype, width };
  const apart = pitch("f32", 1);
  const tile = tileOf(profile, width, 1, { chunk: (underWay * dtypes[dtype].bits) / 8, column: 2 * apart, once: ((partial ? 16 : 8) * held * topK + blockBytes(blocks)) / width }); // prettier-ignore
  const make = buffer(profile);
  const eachSlot = (body: string): string =>
    lines("for r in 0 .. rows {", `for j in 0 .. ${topK} {`, slotAt(`(at + r) * ${topK} + j`, partial, body), "}", "}"); // prettier-ignore
  return kernelOf(
    profile,
    lines(
      `kernel ${named("permuteRows", `${topK}x${width}`, dtype, scaled && "scaled", partial && "partial", ...blocks.heights.map((it) => `b${it}`))} for ${profile.name}`,
      "size S",
      tensor("x", x, "in"),
      scaled && "tensor scales: f32[S] in",
      `tensor place: i32[${slots}] in`,
      partial && `tensor indices: i32[${slots}] in`,
      `tensor offsets: i32[${blocks.experts + 1}] in`,
      tensor("rows", rows, "out", slots),
      scaled && `tensor rowScales: f32[${slots}] out`,
      blockTensors(blocks, slots),
      `on ${profile.vector.core} {`,
      loadRuns(profile, blocks),
      overSharedRows(
        tile,
        width,
        numbers(make, topK, partial),
        lines(
          overOwnColumns(
            tile,
            lines(
              make("x0", dtype, tile.rows, tile.cols, underWay),
              `copy ${box("x", x)} -> x0[0 : rows, 0 : cols]`,
              eachSlot("copy x0[r, 0 : cols] -> rows[p, c : cols]"),
            ),
          ),
          scaled &&
            lines(
              "for first in 0 .. max(0, 1 - left) {",
              make("scale", "f32", tile.rows, apart, 2),
              "copy scales[row : rows] -> scale[0 : rows, 0 : 1] transposed",
              eachSlot("copy scale[r, 0 : 1] -> rowScales[p : 1]"),
              "}",
            ),
        ),
      ),
      listBlocks(profile, blocks),
      "}",
    ),
  );
}

/** What experts gave, and the rows that it becomes; `partial` as in `PermuteSpec`. */
export type CombineSpec = {
  readonly rows: DType;
  readonly out: View;
  readonly topK: number;
  readonly partial: boolean;
};

/**
 * Each token's rows by their weights, summed in the order of its choices. Tensors: `rows` [S * topK, width], `place` and `weights` f32
 * [S * topK]; `out`.
 */
export function combineRows(profile: Profile, { rows, out, topK, partial }: CombineSpec): Kernel {
  const { width } = out;
  const slots = `S * ${topK}`;
  const bytes = (dtype: DType): number => dtypes[dtype].bits / 8;
  const between = rows === "f32" ? [] : castSteps(profile, rows, "f32");
  const apart = pitch("f32", 1);
  const need = {
    chunk: copies * bytes(rows) + 2 * bytes(out.dtype) + 8,
    once: (held * topK * (partial ? 48 : 40)) / width,
  };
  const { cols } = tileOf(profile, width, 1, need);
  const tile = { rows: 1, cols };
  const make = buffer(profile);
  const whole = (name: string): string => `${name}[0 : 1, 0 : cols]`;
  return kernelOf(
    profile,
    lines(
      `kernel ${named("combineRows", `${topK}x${width}`, typesOf(rows, out.dtype), partial && "partial")} for ${profile.name}`,
      "size S",
      tensor("rows", { dtype: rows, width }, "in", slots),
      `tensor place: i32[${slots}] in`,
      partial && `tensor indices: i32[${slots}] in`,
      `tensor weights: f32[${slots}] in`,
      tensor("out", out, "out"),
      `on ${profile.vector.core} {`,
      overSharedRows(
        { rows: held, cols },
        width,
        lines(
          numbers(make, topK, partial),
          make("share", "f32", held * topK, apart),
          `copy weights[block * ${topK} : some * ${topK}] -> share[0 : some * ${topK}, 0 : 1] transposed`,
        ),
        lines(
          "for r in 0 .. rows {",
          overOwnColumns(
            tile,
            lines(
              make("sum", "f32", 1, cols),
              make("h", "f32", 1, cols),
              `vector fill -> ${whole("sum")} with 0`,
              `for j in 0 .. ${topK} {`,
              slotAt(
                `r * ${topK} + j`,
                partial,
                lines(
                  make("x0", rows, 1, cols, copies),
                  ...between.map((it) => make(`as_${it}`, it, 1, cols)),
                  `copy rows[p, c : cols] -> ${whole("x0")}`,
                  rows !== "f32" && cast(profile, { box: whole("x0"), dtype: rows }, { box: whole("h"), dtype: "f32" }, (it) => whole(`as_${it}`)), // prettier-ignore
                  `vector mulColumn ${whole(rows === "f32" ? "x0" : "h")}, share[r * ${topK} + j, 0 : 1] -> ${whole("h")}`,
                  `vector add ${whole("sum")}, ${whole("h")} -> ${whole("sum")}`,
                ),
              ),
              "}",
              make("y", out.dtype, 1, cols, 2),
              `vector copy ${whole("sum")} -> ${whole("y")}`,
              `copy ${whole("y")} -> ${box("out", out, "row + r")}`,
            ),
          ),
          "}",
        ),
      ),
      "}",
    ),
  );
}
