/** How sums become results in the vector unit: scales, bias, the dtype of the result. */
import type { Profile } from "../../../../src/machine/profile.ts";
import { coresOf } from "../../../../src/machine/schedule/cores.ts";
import { buffer, cast, castSteps, lines } from "../vector/tile.ts";
import type { Flow } from "./flow.ts";
import { partCols, partRows, partsOf } from "./product.ts";
import { sumsOf, type GemmSpec } from "./spec.ts";
import { lead, rowsBox } from "./tasks.ts";
import { fragment, partHeight, partWidth, type Sums, type Tile } from "./tile.ts";

/** The vector unit's work on one piece. */
export type PieceWork = {
  /** Before the first sum. */
  readonly begin: string;
  /** For each sum `g`, whose rows are read from `from`. */
  readonly each: (from: (rows: string) => string) => string;
  /** Behind the last. */
  readonly end: string;
};

/** What a vector core takes of a tile at a time: `rows` of at most `high` from row `above` on, `cols` of at most `width` from column `from` on. */
export type Piece = {
  readonly p: number;
  readonly above: number;
  readonly high: number;
  readonly rows: string;
  readonly from: number;
  readonly width: number;
  readonly cols: string;
};

/**
 * Which way a tile's sums are cut that go to the vector cores piece by piece, so that one is on its way while the next still sums or leaves: as accumulators are, or
 * by rows where each tile waits for all of the one before. Made weights, and several sums of a result, leave no signals or flags for that.
 */
function apartBy({ isWhole, isMade }: Flow, spec: GemmSpec, tile: Tile): Sums["cut"] | undefined {
  const { area, sums } = tile;
  if (isWhole || isMade || sumsOf(spec) > 1) return undefined;
  if (sums.parts > 1) return sums.cut;
  return sums.copies === 1 && area.m >= 2 * fragment ? "rows" : undefined;
}

/** The pieces of a tile, in the order in which their sums leave the accumulators. */
export function piecesOf(flow: Flow, spec: GemmSpec, tile: Tile): readonly Piece[] {
  const { area, sums } = tile;
  const cut = flow.isWhole ? "columns" : apartBy(flow, spec, tile);
  const all = { p: 0, above: 0, high: area.m, rows: "rows", from: 0, width: area.n, cols: "cols" };
  if (cut === undefined) return [all];
  if (cut === "columns")
    return partsOf(tile).map((p) => ({
      ...all,
      p,
      from: p * partWidth(tile),
      width: Math.min(partWidth(tile), area.n - p * partWidth(tile)),
      cols: partCols(tile, p),
    }));
  const byRows: Tile = { ...tile, sums: { ...sums, parts: Math.max(2, sums.parts), cut } };
  const high = partHeight(byRows);
  return partsOf(byRows).map((p) => ({ ...all, p, above: p * high, high, rows: partRows(byRows, p) }));
}

/** Copies of what all rows of a tile meet, scales and bias: those of the next are on their way, where no weights are made and need the flags. */
export const besideCopies = ({ isMade }: Flow): number => (isMade ? 1 : 2);

/** Copies of what sums become as float32: where results are that, those before are stored meanwhile. */
export const floatCopies = (spec: GemmSpec): number =>
  spec.out.dtype === "f32" && sumsOf(spec) === 1 ? 2 : 1;

/** Rows of a piece that one vector core takes. */
export const ownRows = (profile: Profile, { isWhole }: Flow, { high }: Piece): number =>
  Math.ceil(high / (isWhole ? 1 : coresOf(profile, profile.vector.core)));

/** Rows of a piece that this core takes: `mine` of them from `top`. */
const dealt = ({ isWhole }: Flow, { p, rows }: Piece): string =>
  isWhole
    ? lines(`let top${p} = 0`, `let mine${p} = ${rows}`)
    : lines(
        `let high${p} = ${rows}`,
        `let half${p} = ceil(high${p}, cores)`,
        `let top${p} = min(high${p}, core * half${p})`,
        `let mine${p} = min(half${p}, high${p} - top${p})`,
      );

/** Rows `r : here` of a core's own of a piece, so many at a time. */
const overRows = ({ p }: Piece, rows: number, body: string): string =>
  lines(`for r in 0 .. mine${p} step ${rows} {`, `let here = min(${rows}, mine${p} - r)`, body, "}");

/** The work on a piece, `rows` at a time. Names end in the piece's number, so that pieces can stand beside each other. */
export function pieceWork(
  profile: Profile,
  flow: Flow,
  spec: GemmSpec,
  piece: Piece,
  rows: number,
): PieceWork {
  const { w, out, bias } = spec;
  const { p, above, from: first, width } = piece;
  const make = buffer(profile);
  const own = ownRows(profile, flow, piece);
  const column = `n + ${first} : c${p}`;
  const top = `m + ${above > 0 ? `${above} + ` : ""}top${p}`;
  const isInteger = w.kind === "integer";
  const isSummed = sumsOf(spec) > 1;
  const box = (name: string): string => `${name}${p}[0 : here, 0 : c${p}]`;
  const row = (name: string): string => `${name}${p}[0 : 1, 0 : c${p}]`;
  const whole = `total${p}[r : here, 0 : c${p}]`;
  const sum = flow.acc === "f32" ? box("y") : box("f");
  const target = rowsBox(spec, "out", `${top} + r : here`, column);
  const scales =
    isInteger &&
    lines(
      make(`s${p}`, "f32", 1, width, besideCopies(flow)),
      `copy scales[${lead(spec)}${isSummed ? "g" : "0"} : 1, ${column}] -> ${row("s")}`,
    );
  const converted = (of: string): readonly string[] => [
    ...castSteps(profile, "f32", out.dtype).map((it) => make(`z_${it}_${p}`, it, rows, width)),
    make(`z${p}`, out.dtype, rows, width, 2),
    cast(
      profile,
      { box: of, dtype: "f32" },
      { box: box("z"), dtype: out.dtype },
      (it) => `z_${it}_${p}[0 : here, 0 : c${p}]`,
    ),
    `copy ${box("z")} -> ${target}`,
  ];
  const finish = (of: string): string =>
    lines(
      isInteger && `vector mulColumn ${of}, as${p}[r : here, 0 : 1] -> ${of}`,
      bias && `vector addRow ${of}, ${row("b")} -> ${of}`,
      ...(out.dtype === "f32" && !isSummed ? [`copy ${of} -> ${target}`] : converted(of)),
    );
  return {
    begin: lines(
      dealt(flow, piece),
      `let c${p} = ${piece.cols}`,
      isInteger && make(`as${p}`, "f32", own, 1, besideCopies(flow)),
      bias && make(`b${p}`, "f32", 1, width, besideCopies(flow)),
      isInteger && `copy aScales[${top} : mine${p}, 0 : 1] -> as${p}[0 : mine${p}, 0 : 1]`,
      bias && `copy bias[${column}] -> ${row("b")}`,
      // Those of one sum are on their way before it is there.
      !isSummed && scales,
      isSummed && make(`total${p}`, "f32", own, width),
      isSummed && `vector fill -> total${p} with 0`,
    ),
    each: (from) =>
      lines(
        isSummed && scales,
        overRows(
          piece,
          rows,
          lines(
            make(`y${p}`, flow.acc, rows, width, 2),
            `copy ${from(`top${p} + r : here`)} -> ${box("y")}`,
            flow.acc !== "f32" && make(`f${p}`, "f32", rows, width, floatCopies(spec)),
            flow.acc !== "f32" && `vector copy ${box("y")} -> ${box("f")}`,
            isInteger && `vector mulRow ${sum}, ${row("s")} -> ${sum}`,
            isSummed ? `vector add ${whole}, ${sum} -> ${whole}` : finish(sum),
          ),
        ),
      ),
    end: isSummed ? overRows(piece, rows, finish(whole)) : "",
  };
}
