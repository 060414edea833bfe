import type { Quantizer } from "../tensor/recipe-rows.ts";
import { roundOnGrid, searchGrid } from "./clip.ts";
import { roundToNearest } from "./nearest.ts";

/** What the recipes of weights are rounded with. */
export const quantizer: Quantizer = (w, rows, cols, format, rounding) =>
  rounding === "nearest"
    ? roundToNearest(w, rows, cols, format)
    : roundOnGrid(w, rows, cols, format, searchGrid(w, rows, cols, format));
