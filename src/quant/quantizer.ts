import type { Quantizer } from "../tensor/recipe-rows.ts";
import { roundToNearest } from "./nearest.ts";

/** What the recipes of weights are rounded with. */
export const quantizer: Quantizer = (w, rows, cols, format) => roundToNearest(w, rows, cols, format);
