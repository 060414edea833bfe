import type { WeightFormat } from "../tensor/format.ts";
import type { Quantizer } from "../tensor/recipe-rows.ts";
import { roundOnGrid, searchGrid } from "./rounding/clip.ts";
import { roundToNearest } from "./rounding/nearest.ts";
import { searchSymmetric } from "./search.ts";

/** Symmetric integers whose rows keep scales of their own: the formats that code for vectors knows. */
export const isPlain = ({ codes, symmetric, blockRows }: WeightFormat): boolean =>
  codes === "integer" && symmetric && blockRows === 1;

/** What the recipes of weights are rounded with. */
export const quantizer: Quantizer = (w, rows, cols, format, rounding) => {
  if (rounding === "nearest") return roundToNearest(w, rows, cols, format);
  const search = isPlain(format) ? searchSymmetric : searchGrid;
  return roundOnGrid(w, rows, cols, format, search(w, rows, cols, format));
};
