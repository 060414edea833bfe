/** How sums become results in the vector unit: scales, bias, the dtype of the result. */
import type { Profile } from "../../../../src/machine/profile.ts";
import { coresOf } from "../../../../src/machine/schedule/cores.ts";
import { buffer, cast, castSteps, lines } from "../vector/tile.ts";
import type { Flow } from "./flow.ts";
import { partCols, partsOf } from "./product.ts";
import { sumsOf, type GemmSpec } from "./spec.ts";
import { lead, rowsBox } from "./tasks.ts";
import { partWidth, type Tile } from "./tile.ts";

/** The vector unit's work on one piece. */
export type PieceWork = {
  /** Before the first sum. */
  readonly begin: string;
  /** For each sum `g`, whose rows are read from `from`. */
  readonly each: (from: (rows: string) => string) => string;
  /** Behind the last. */
  readonly end: string;
};

/** Columns of a tile that the vector unit takes at a time: parts where it empties the accumulators itself, else all. */
export type Piece = {
  readonly p: number;
  readonly from: number;
  readonly width: number;
  readonly cols: string;
};

export const piecesOf = ({ isWhole }: Flow, tile: Tile): readonly Piece[] =>
  isWhole
    ? partsOf(tile).map((p) => ({
        p,
        from: p * partWidth(tile),
        width: partWidth(tile),
        cols: partCols(tile, p),
      }))
    : [{ p: 0, from: 0, width: tile.area.n, cols: "cols" }];

/** Copies of what all rows of a tile meet, scales and bias: those of the next are on their way, where no weights are made and need the flags. */
export const besideCopies = ({ isMade }: Flow): number => (isMade ? 1 : 2);

/** Rows of a tile that one vector core takes. */
export const ownRows = (profile: Profile, { isWhole }: Flow, { area }: Tile): number =>
  Math.ceil(area.m / (isWhole ? 1 : coresOf(profile, profile.vector.core)));

/** Rows `r : here` of a core's `mine` from `top`, so many at a time. */
const overRows = (rows: number, body: string): string =>
  lines(`for r in 0 .. mine step ${rows} {`, `let here = min(${rows}, mine - r)`, body, "}");

/** The work on a piece, `rows` at a time. Names end in the piece's number, so that pieces can stand beside each other. */
export function pieceWork(
  profile: Profile,
  flow: Flow,
  spec: GemmSpec,
  tile: Tile,
  piece: Piece,
  rows: number,
): PieceWork {
  const { w, out, bias } = spec;
  const { p, from: first, width } = piece;
  const make = buffer(profile);
  const own = ownRows(profile, flow, tile);
  const column = `n + ${first} : c${p}`;
  const isInteger = w.kind === "integer";
  const isSummed = sumsOf(spec) > 1;
  const box = (name: string): string => `${name}${p}[0 : here, 0 : c${p}]`;
  const row = (name: string): string => `${name}${p}[0 : 1, 0 : c${p}]`;
  const whole = `total${p}[r : here, 0 : c${p}]`;
  const sum = flow.acc === "f32" ? box("y") : box("f");
  const target = rowsBox(spec, "out", "m + top + r : here", column);
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
      `let c${p} = ${piece.cols}`,
      isInteger && make(`as${p}`, "f32", own, 1, besideCopies(flow)),
      bias && make(`b${p}`, "f32", 1, width, besideCopies(flow)),
      isInteger && `copy aScales[m + top : mine, 0 : 1] -> as${p}[0 : mine, 0 : 1]`,
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
          rows,
          lines(
            make(`y${p}`, flow.acc, rows, width, 2),
            `copy ${from("top + r : here")} -> ${box("y")}`,
            flow.acc !== "f32" && make(`f${p}`, "f32", rows, width),
            flow.acc !== "f32" && `vector copy ${box("y")} -> ${box("f")}`,
            isInteger && `vector mulRow ${sum}, ${row("s")} -> ${sum}`,
            isSummed ? `vector add ${whole}, ${sum} -> ${whole}` : finish(sum),
          ),
        ),
      ),
    end: isSummed ? overRows(rows, finish(whole)) : "",
  };
}
