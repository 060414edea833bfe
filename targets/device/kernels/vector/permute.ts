/**
 * Rows on their way to experts and back. A slot is one choice of one token, token s's j-th being s * topK + j. Slots are brought into groups of one
 * expert each; within a group they keep their order.
 */
import type { Profile } from "../../../../src/machine/profile.ts";
import { coreCount } from "../../../../src/machine/rates.ts";
import type { Kernel } from "../../../../src/machine/schedule/kernel.ts";
import { dtypes, type DType } from "../../../../src/tensor/dtype.ts";
import { named, typesOf } from "../name.ts";
import { blockBytes, blockTensors, listBlocks, loadRuns, type BlockLists } from "./row-blocks.ts";
import { box, buffer, cast, castSteps, copies, held, kernelOf, lines, overColumns, overNumberedRows, pitch, tensor, tileOf, type View } from "./tile.ts"; // prettier-ignore

/** How slots are grouped: `partial` where some are of experts elsewhere, -1 here. */
export type GroupSpec = { readonly experts: number; readonly topK: number; readonly partial: boolean };

/**
 * A counting sort of slots by their experts. Each core has some experts, and goes through all slots for them: what is below an expert gives where
 * its group begins, what equals it the group. Slots of experts elsewhere are a group before all others. Tensors: `indices` i32 [S * topK];
 * `offsets` i32 [experts + 1], where groups begin and the last ends; i32 [S * topK] `order`, the slots group by group, and `place`, where in it
 * each slot stands.
 */
export function groupSlots(profile: Profile, { experts, topK, partial }: GroupSpec): Kernel {
  const make = buffer(profile);
  const absent = partial ? 1 : 0;
  const most = Math.ceil((experts + 1 + absent) / coreCount(profile, profile.vector.core));
  const [apart, few, whole] = [pitch("f32", 1), 64, "[0 : 1, 0 : cols]"];
  const { cols } = tileOf(profile, 4096, 1, { chunk: 48, column: 2 * few * apart + most * apart });
  const mine = (count: number, body: string): string =>
    lines(
      `for i in 0 .. ceil(max(0, ${count + absent} - own), all) {`,
      `let e = own + i * all${partial ? " - 1" : ""}`,
      body,
      "}",
    );
  const begin = "begin[i, 0 : 1]";
  const eachChunk = (body: string): string =>
    lines(`for c in 0 .. S * ${topK} step ${cols} {`, `let cols = min(${cols}, S * ${topK} - c)`, body, "}");
  const load = (name: string): string =>
    lines(
      make(`${name}0`, "i32", 1, cols, 2),
      make(name, "f32", 1, cols),
      `copy indices[c : cols] -> ${name}0${whole}`,
      `vector copy ${name}0${whole} -> ${name}${whole}`,
    );
  return kernelOf(
    profile,
    lines(
      `kernel ${named("groupSlots", `${topK}of${experts}`, partial && "partial")} for ${profile.name}`,
      "size S",
      `tensor indices: i32[S * ${topK}] in`,
      `tensor offsets: i32[${experts + 1}] out`,
      `tensor order: i32[S * ${topK}] out`,
      `tensor place: i32[S * ${topK}] out`,
      `on ${profile.vector.core} {`,
      "let own = group * cores + core",
      "let all = groups * cores",
      make("begin", "f32", most, apart),
      `vector fill -> begin[0 : ${most}, 0 : ${apart}] with 0`,
      eachChunk(
        lines(
          load("seen"),
          mine(
            experts + 1,
            lines(
              make("below", "f32", 1, cols),
              make("smaller", "f32", 1, 1),
              `vector isBelow seen${whole} -> below${whole} with e`,
              `vector sum below${whole} -> smaller`,
              `vector add ${begin}, smaller -> ${begin}`,
            ),
          ),
        ),
      ),
      mine(
        experts + 1,
        lines(
          partial && "if 0 < e + 1 {",
          make("first", "i32", 1, 1, 2),
          `vector copy ${begin} -> first`,
          "copy first -> offsets[e : 1]",
          partial && "}",
        ),
      ),
      eachChunk(
        lines(
          load("chosen"),
          make("number", "f32", 1, cols),
          `vector iota -> number${whole} with c`,
          mine(
            experts,
            lines(
              make("mask", "f32", 1, cols),
              make("list", "f32", 1, cols),
              make("slots", "i32", 1, cols, 2),
              make("count", "f32", 1, 1),
              make("next", "i32", 1, 1),
              make("found", "i32", 1, 1),
              `vector isEqual chosen${whole} -> mask${whole} with e`,
              `vector sum mask${whole} -> count`,
              `vector compress number${whole}, mask${whole} -> list${whole}`,
              `vector copy list${whole} -> slots${whole}`,
              `vector copy ${begin} -> next`,
              "vector copy count -> found",
              `vector add ${begin}, count -> ${begin}`,
              "read p = next",
              "read n = found",
              "copy slots[0 : 1, 0 : n] -> order[p : n]",
              `for i in 0 .. n step ${few} {`,
              make("here", "i32", few, apart, 2),
              `let some = min(${few}, n - i)`,
              "for j in 0 .. some {",
              "vector fill -> here[j, 0 : 1] with p + i + j",
              "}",
              "for j in 0 .. some {",
              "read slot = slots[0, i + j]",
              "copy here[j, 0 : 1] -> place[slot : 1]",
              "}",
              "}",
            ),
          ),
        ),
      ),
      "}",
    ),
  );
}

/** The places of slots, for `overNumberedRows`. */
const numbers = (make: ReturnType<typeof buffer>, topK: number): string =>
  lines(
    make("near", "i32", 1, held * topK, 2),
    `copy place[block * ${topK} : some * ${topK}] -> near[0 : 1, 0 : some * ${topK}]`,
  );

/** Loads where the first group begins, and leaves `body` out for places before it: a loop of one turn or none, whose buffers take turns of their own. */
const firstGroup = (make: ReturnType<typeof buffer>, partial: boolean) => ({
  load: partial && lines(make("start", "i32", 1, 1, 2), "copy offsets[0 : 1] -> start", "read first = start"),
  within: (body: string): string =>
    partial ? lines("for here in 0 .. min(1, max(0, p + 1 - first)) {", body, "}") : body,
});

/** Rows to bring into the order of their groups. */
export type PermuteSpec = {
  readonly x: View;
  readonly topK: number;
  /** Slots before the first group are of experts elsewhere, and left out. */
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
  const tile = tileOf(profile, width, 1, { chunk: (copies * dtypes[dtype].bits) / 8, column: 2 * apart, once: (8 * held * topK + blockBytes(blocks)) / width }); // prettier-ignore
  const make = buffer(profile);
  const groups = firstGroup(make, partial);
  const eachSlot = (body: string): string =>
    lines("for r in 0 .. rows {", `for j in 0 .. ${topK} {`, `read p = near[0, (at + r) * ${topK} + j]`, groups.within(body), "}", "}"); // prettier-ignore
  return kernelOf(
    profile,
    lines(
      `kernel ${named("permuteRows", `${topK}x${width}`, dtype, scaled && "scaled", partial && "partial", ...blocks.heights.map((it) => `b${it}`))} for ${profile.name}`,
      "size S",
      tensor("x", x, "in"),
      scaled && "tensor scales: f32[S] in",
      `tensor place: i32[${slots}] in`,
      `tensor offsets: i32[${blocks.experts + 1}] in`,
      tensor("rows", rows, "out", slots),
      scaled && `tensor rowScales: f32[${slots}] out`,
      blockTensors(blocks, slots),
      `on ${profile.vector.core} {`,
      loadRuns(profile, blocks),
      overNumberedRows(
        tile,
        1,
        lines(numbers(make, topK), groups.load),
        lines(
          overColumns(
            tile,
            width,
            lines(
              make("x0", dtype, tile.rows, tile.cols, copies),
              `copy ${box("x", x)} -> x0[0 : rows, 0 : cols]`,
              eachSlot("copy x0[r, 0 : cols] -> rows[p, c : cols]"),
            ),
          ),
          scaled &&
            lines(
              make("scale", "f32", tile.rows, apart, 2),
              "copy scales[row : rows] -> scale[0 : rows, 0 : 1] transposed",
              eachSlot("copy scale[r, 0 : 1] -> rowScales[p : 1]"),
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
  const need = { chunk: copies * bytes(rows) + 2 * bytes(out.dtype) + 8, once: (held * topK * 40) / width };
  const { cols } = tileOf(profile, width, 1, need);
  const tile = { rows: 1, cols };
  const make = buffer(profile);
  const groups = firstGroup(make, partial);
  const whole = (name: string): string => `${name}[0 : 1, 0 : cols]`;
  return kernelOf(
    profile,
    lines(
      `kernel ${named("combineRows", `${topK}x${width}`, typesOf(rows, out.dtype), partial && "partial")} for ${profile.name}`,
      "size S",
      tensor("rows", { dtype: rows, width }, "in", slots),
      `tensor place: i32[${slots}] in`,
      partial && "tensor offsets: i32[1] in",
      `tensor weights: f32[${slots}] in`,
      tensor("out", out, "out"),
      `on ${profile.vector.core} {`,
      overNumberedRows(
        { rows: held, cols },
        1,
        lines(
          numbers(make, topK),
          groups.load,
          make("share", "f32", held * topK, apart),
          `copy weights[block * ${topK} : some * ${topK}] -> share[0 : some * ${topK}, 0 : 1] transposed`,
        ),
        lines(
          "for r in 0 .. rows {",
          overColumns(
            tile,
            width,
            lines(
              make("sum", "f32", 1, cols),
              make("h", "f32", 1, cols),
              `vector fill -> ${whole("sum")} with 0`,
              `for j in 0 .. ${topK} {`,
              `read p = near[0, r * ${topK} + j]`,
              groups.within(
                lines(
                  make("x0", rows, 1, cols, copies),
                  ...between.map((it) => make(`as_${it}`, it, 1, cols)),
                  `copy rows[p, c : cols] -> ${whole("x0")}`,
                  cast(profile, { box: whole("x0"), dtype: rows }, { box: whole("h"), dtype: "f32" }, (it) => whole(`as_${it}`)), // prettier-ignore
                  `vector mulColumn ${whole("h")}, share[r * ${topK} + j, 0 : 1] -> ${whole("h")}`,
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
