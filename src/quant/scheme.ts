import * as v from "valibot";
import { formatNames, isFormatName, type FormatName } from "../tensor/format.ts";
import { fail } from "../support/diagnostics.ts";
import { nearest } from "../support/near.ts";
import { parseJson } from "../support/parse-json.ts";
import { globToRegExp } from "../support/glob.ts";

/** What becomes of the weights and of the activations that meet them. */
export type Scheme = {
  /** As the user named it; plans carry it. */
  readonly name: string;
  /** The format of weights that nothing else is said of. */
  readonly weights: FormatName;
  /** Formats are chosen matrix by matrix instead, to take so many bits a weight on average. */
  readonly bits?: number | undefined;
  /** Whether activations are rounded to int8 a token, or stay as they are. */
  readonly activations: "float" | "int8";
  /** What is said of tensors by name: the first that matches holds, "none" keeps a tensor. */
  readonly tensors: readonly { readonly pattern: RegExp; readonly format: FormatName | "none" }[];
};

/** Names for what is often meant. */
const aliases = {
  int4: ["int4-g32", "float"],
  w8a16: ["int8", "float"],
  w8a8: ["int8", "int8"],
  w4a16: ["int4-g32", "float"],
  w4a8: ["int4-g32", "int8"],
} as const satisfies Record<string, readonly [FormatName, Scheme["activations"]]>;

const isAlias = (name: string): name is keyof typeof aliases => Object.hasOwn(aliases, name);

/** Every scheme with a name. */
export const schemeNames: readonly string[] = [...new Set([...Object.keys(aliases), ...formatNames])];

/** The scheme of a name, or undefined. */
export function namedScheme(name: string): Scheme | undefined {
  if (isAlias(name)) {
    const [weights, activations] = aliases[name];
    return { name, weights, activations, tensors: [] };
  }
  return isFormatName(name) ? { name, weights: name, activations: "float", tensors: [] } : undefined;
}

/** The scheme that chooses formats by itself. */
export const autoScheme = (bits: number): Scheme => ({
  name: `auto-${bits}`,
  weights: "int4-g32",
  bits,
  activations: "float",
  tensors: [],
});

const format = v.picklist([...formatNames, "none" as const]);
const recipe = v.strictObject({
  weights: v.picklist([...formatNames, "auto" as const]),
  bits: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(16))),
  activations: v.optional(v.picklist(["float", "int8"]), "float"),
  tensors: v.optional(v.record(v.string(), format), {}),
});

/** A scheme from a recipe's JSON text. Throws `quant/recipe` with the place of the fault. */
export function parseRecipeFile(text: string, file: string): Scheme {
  const wrong = (pointer: string, why: string): never =>
    fail("quant/recipe", { kind: "json", file, pointer }, why);
  const { weights, bits, activations, tensors } = parseJson(recipe, text, wrong);
  if ((weights === "auto") !== (bits !== undefined))
    return wrong("/bits", "bits are for weights that are auto, and those need them");
  return {
    name: file,
    ...(weights === "auto" ? { weights: "int4-g32", bits } : { weights }),
    activations,
    tensors: Object.entries(tensors).map(([glob, to]) => ({ pattern: globToRegExp(glob), format: to })),
  };
}

/** What a name on the command line could have meant. */
export const nearestScheme = (name: string): string | undefined => nearest(name, schemeNames);
