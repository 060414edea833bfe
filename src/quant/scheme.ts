import { createHash } from "node:crypto";
import * as v from "valibot";
import { formatNames, isFormatName, type FormatName } from "../tensor/format.ts";
import { fail } from "../support/diagnostics.ts";
import { nearest } from "../support/near.ts";
import { parseJson } from "../support/parse-json.ts";
import { globToRegExp } from "../support/glob.ts";
import { counted } from "../support/text.ts";

/** What becomes of the weights and of the activations that meet them. */
export type Scheme = {
  /** What plans call it: the name it was asked for by, or of a recipe what it says, wherever its file lies. */
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

/** The format of what formats are not chosen for. */
const autoFormat = "int4-g32";

/** The scheme that chooses formats by itself. */
export const autoScheme = (bits: number): Scheme => ({
  name: `auto-${bits}`,
  weights: autoFormat,
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

/** What a recipe says of most weights: the name that says the same, or in words. */
function nameOfRule({
  weights,
  bits,
  activations,
}: Pick<Scheme, "weights" | "bits" | "activations">): string {
  const format = bits === undefined ? weights : autoScheme(bits).name;
  if (activations === "float") return format;
  const alias = Object.entries(aliases).find(([, [of, to]]) => of === format && to === activations);
  return alias?.[0] ?? `${format} with ${activations} activations`;
}

/** Exceptions by tensor, which may be thousands: how many, and a hash that tells these from others. */
function nameOfExceptions(tensors: Readonly<Record<string, string>>): string {
  const entries = Object.entries(tensors);
  if (entries.length === 0) return "";
  const hash = createHash("sha256").update(JSON.stringify(entries)).digest("hex").slice(0, 8);
  return ` with ${counted(entries.length, "exception")} (${hash})`;
}

/** A scheme from a recipe's JSON text. Throws `quant/recipe` with the place of the fault. */
export function parseRecipeFile(text: string, file: string): Scheme {
  const wrong = (pointer: string, why: string): never =>
    fail("quant/recipe", { kind: "json", file, pointer }, why);
  const { weights, bits, activations, tensors } = parseJson(recipe, text, wrong);
  if ((weights === "auto") !== (bits !== undefined))
    return wrong("/bits", "bits are for weights that are auto, and those need them");
  const rule = { weights: weights === "auto" ? autoFormat : weights, bits, activations };
  return {
    ...rule,
    name: nameOfRule(rule) + nameOfExceptions(tensors),
    tensors: Object.entries(tensors).map(([glob, to]) => ({ pattern: globToRegExp(glob), format: to })),
  };
}

/** What a name on the command line could have meant. */
export const nearestScheme = (name: string): string | undefined => nearest(name, schemeNames);
