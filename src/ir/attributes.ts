import { isDType, type DType } from "../tensor/dtype.ts";
import type { Recipe } from "../tensor/recipe.ts";
import type { Dim } from "./dim.ts";

/**
 * The kinds of attribute an operator can have. One schema serves the types, the verifier, the printer and the parser.
 */
export type AttrSchema =
  | { readonly kind: "int"; readonly default?: number }
  | { readonly kind: "float"; readonly default?: number }
  | { readonly kind: "flag"; readonly default?: boolean }
  | { readonly kind: "ints"; readonly default?: readonly number[] }
  | { readonly kind: "dim"; readonly default?: Dim }
  | { readonly kind: "dims"; readonly default?: readonly Dim[] }
  | { readonly kind: "values"; readonly default?: readonly number[] }
  | { readonly kind: "dtype"; readonly default?: DType }
  | { readonly kind: "recipe"; readonly default?: Recipe }
  | { readonly kind: "choice"; readonly of: readonly string[]; readonly default?: string };

export type AttrValue = number | boolean | string | readonly number[] | readonly Dim[] | Recipe;

export const int = { kind: "int" } as const;
export const float = { kind: "float" } as const;
export const flag = { kind: "flag" } as const;
export const ints = { kind: "ints" } as const;
export const dimAttr = { kind: "dim" } as const;
export const dimList = { kind: "dims" } as const;
export const values = { kind: "values" } as const;
export const dtypeAttr = { kind: "dtype" } as const;
export const recipeAttr = { kind: "recipe" } as const;
export const choice = <const T extends readonly string[]>(...of: T) => ({ kind: "choice", of }) as const;

/** The TypeScript type of an attribute of this schema. */
export type AttrOf<S extends AttrSchema> = S extends { kind: "int" | "float" }
  ? number
  : S extends { kind: "flag" }
    ? boolean
    : S extends { kind: "ints" | "values" }
      ? readonly number[]
      : S extends { kind: "dim" }
        ? Dim
        : S extends { kind: "dims" }
          ? readonly Dim[]
          : S extends { kind: "dtype" }
            ? DType
            : S extends { kind: "recipe" }
              ? Recipe
              : S extends { kind: "choice"; of: infer O extends readonly string[] }
                ? O[number]
                : never;

export type AttrsOf<A extends Record<string, AttrSchema>> = { readonly [K in keyof A]: AttrOf<A[K]> };

const isNumbers = (v: unknown): boolean => Array.isArray(v) && v.every((x) => typeof x === "number");

/** Why `value` is not of `schema`, or undefined. */
export function attributeFault(schema: AttrSchema, value: unknown): string | undefined {
  const ok = (): boolean => {
    switch (schema.kind) {
      case "int":
        return Number.isSafeInteger(value);
      case "float":
        return typeof value === "number";
      case "flag":
        return typeof value === "boolean";
      case "ints":
        return isNumbers(value) && (value as number[]).every(Number.isSafeInteger);
      case "values":
        return isNumbers(value);
      case "dim":
        return typeof value === "number" || typeof value === "string";
      case "dims":
        return Array.isArray(value) && value.every((x) => typeof x === "number" || typeof x === "string");
      case "dtype":
        return typeof value === "string" && isDType(value);
      case "recipe":
        return typeof value === "object" && value !== null && "kind" in value;
      case "choice":
        return typeof value === "string" && schema.of.includes(value);
    }
  };
  if (ok()) return undefined;
  const expected = schema.kind === "choice" ? `one of ${schema.of.join(", ")}` : `of kind ${schema.kind}`;
  return value === undefined
    ? `is missing, expected ${expected}`
    : `is ${String(value)}, expected ${expected}`;
}
