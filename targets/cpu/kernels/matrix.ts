import { codedTile } from "./tiles/coded.ts";
import { denseTile } from "./tiles/dense.ts";
import { integerTile } from "./tiles/integer.ts";
import { codesWidth } from "./quantize.ts";
import type { KernelSpec, Spec, WeightFormat } from "./spec.ts";
import type { Tile } from "./tiles/tile.ts";

const kinds = [
  "linear",
  "headLinear",
  "groupedLinear",
  "integerLinear",
  "groupedIntegerLinear",
] as const satisfies readonly KernelSpec["kind"][];

export type MatrixSpec = Spec<(typeof kinds)[number]>;

export const isMatrixSpec = (s: KernelSpec): s is MatrixSpec => kinds.some((kind) => kind === s.kind);

/** What a matrix kernel walks over: the tile, and the bytes from one row to the next in each of its inputs. */
export type Matrix = { readonly tile: Tile; readonly rowBytes: readonly number[] };

export function matrixOf(s: MatrixSpec): Matrix {
  switch (s.kind) {
    case "linear":
      return { tile: floatTile(s, s.k, s.bias), rowBytes: [s.ldx * 4] };
    case "headLinear":
    case "groupedLinear":
      return { tile: floatTile(s, s.k, false), rowBytes: [s.ldx * 4] };
    case "integerLinear":
      return { tile: integerTile(s, s.k, s.bias), rowBytes: [codesWidth(s.k), 4] };
    case "groupedIntegerLinear":
      return { tile: integerTile(s, s.k, false), rowBytes: [codesWidth(s.k), 4] };
  }
}

const floatTile = (format: WeightFormat, k: number, bias: boolean): Tile =>
  "group" in format ? codedTile(format, k, bias) : denseTile(format.weight, k, bias);
