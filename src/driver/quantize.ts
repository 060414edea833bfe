import { existsSync } from "node:fs";
import type { Quantization } from "../../passes/index.ts";
import {
  autoScheme,
  namedScheme,
  nearestScheme,
  parseRecipeFile,
  schemeNames,
  type Scheme,
} from "../quant/scheme.ts";
import type { FormatChoice } from "./calibration/observe.ts";
import { readDescription } from "./text-file.ts";
import { fail } from "../support/diagnostics.ts";
import { formats, usualRounding, type Rounding } from "../tensor/format.ts";
import { rotationOf } from "../tensor/hadamard.ts";
import { quantized, rotate, takesWidth } from "../tensor/recipe.ts";

/** What a compile quantizes, and how the plan calls it. */
export type PlannedQuantization = Quantization & { readonly name: string };

/** The scheme of a name or of a recipe file, `bits` for auto; undefined for none. Throws `quant/scheme`, `quant/recipe` and `usage/file`. */
export function schemeFrom(text: string, bits?: number): Scheme | undefined {
  if (bits !== undefined && text !== "auto")
    return fail("usage/missing", { kind: "flag", flag: "--quant" }, "auto, for which --bits is");
  if (text === "none") return undefined;
  if (text === "auto")
    return bits === undefined
      ? fail("usage/missing", { kind: "flag", flag: "--bits" }, "how many bits a weight may take")
      : autoScheme(bits);
  const named = namedScheme(text);
  if (named) return named;
  if (existsSync(text)) return parseRecipeFile(readDescription(text), text);
  return fail("quant/scheme", { kind: "flag", flag: "--quant" }, text, nearestScheme(text), schemeNames);
}

/** Products take the scheme's format; routers and heads stay as they are, unless the scheme names their tensors. */
export const formatChoice =
  ({ weights, tensors }: Scheme): FormatChoice =>
  (tensor, role) => {
    const said = tensors.find(({ pattern }) => pattern.test(tensor))?.format;
    const format = said ?? (role === "linear" || role === "expert" ? weights : "none");
    return format === "none" ? undefined : format;
  };

/**
 * Quantize by what the weights alone tell; each format by its usual rounding where none is given. What is rotated can be parted between
 * `shares` tensor ranks.
 */
export function planQuantization(scheme: Scheme, rounding?: Rounding, shares = 1): PlannedQuantization {
  const choose = formatChoice(scheme);
  return {
    name: scheme.name,
    activations: scheme.activations,
    weights: (tensor, role, matrix) => {
      const format = choose(tensor, role);
      const cols = matrix.shape.at(-1) ?? 1;
      if (!format || !takesWidth(format, cols)) return undefined;
      const block = scheme.activations === "int8" ? rotationOf(cols, shares) : 1;
      const by = rounding ?? usualRounding(formats[format]);
      return rotate(quantized(rotate(matrix, block), format, by), block);
    },
  };
}
