import type { DType } from "./dtype.ts";
import { formats, groupCount, groupWidth, type FormatName, type Rounding } from "./format.ts";

/**
 * A weight is a recipe, not an array: where its elements come from and what is done to them on the way.
 * Nothing is read until the plan is written. Every node knows its own dtype and shape.
 */
export type Recipe = {
  readonly dtype: DType;
  readonly shape: readonly number[];
} & (
  | /** A tensor of the checkpoint, by name. */ { readonly kind: "source"; readonly name: string }
  | /** Given in full, float32. */ { readonly kind: "literal"; readonly values: readonly number[] }
  | /** Codes in blocks: (element (r, c) - zero) times scale, both of block (r / block[0], c / block[1]). Result f32. */ {
      readonly kind: "dequantize";
      readonly of: Recipe;
      readonly scale: Recipe;
      /** A zero point a block, or one for all as [1, 1]; absent, it is 0. */
      readonly zero?: Recipe;
      readonly block: readonly [number, number];
      /** How many bits the codes need; absent, it is what their dtype has. */
      readonly bits?: 4;
    }
  | /** One part of a matrix in a number format. */ {
      readonly kind: "quantize";
      readonly of: Recipe;
      readonly format: FormatName;
      readonly rounding: Rounding;
      readonly part: QuantizedPart;
    }
  | /** To a dtype that holds the values; floats may be rounded to 16 bits. */ {
      readonly kind: "cast";
      readonly of: Recipe;
    }
  | /** Parts one after another along axis 0. */ {
      readonly kind: "concat";
      readonly parts: readonly Recipe[];
    }
  | /** Parts of one shape under a new leading axis. */ {
      readonly kind: "stack";
      readonly parts: readonly Recipe[];
    }
  | /** Each `block` consecutive elements of a row rotated, see hadamard.ts. Result f32. */ {
      readonly kind: "rotate";
      readonly of: Recipe;
      readonly block: number;
    }
  | { readonly kind: "reshape"; readonly of: Recipe }
  | /** Elements begin..end of one axis. */ {
      readonly kind: "slice";
      readonly of: Recipe;
      readonly axis: number;
      readonly begin: number;
      readonly end: number;
    }
  | /** The last two axes exchanged. */ { readonly kind: "transpose"; readonly of: Recipe }
);

/** What a quantized matrix consists of. */
export const quantizedParts = ["codes", "scales", "zeros"] as const;
export type QuantizedPart = (typeof quantizedParts)[number];

export const source = (name: string, dtype: DType, shape: readonly number[]): Recipe => ({
  kind: "source",
  name,
  dtype,
  shape,
});

export const constant = (shape: readonly number[], values: readonly number[]): Recipe => ({
  kind: "literal",
  values,
  dtype: "f32",
  shape,
});

export const dequantize = (
  of: Recipe,
  scale: Recipe,
  block: readonly [number, number],
  zero?: Recipe,
): Recipe => ({
  kind: "dequantize",
  of,
  scale,
  ...(zero && { zero }),
  block,
  dtype: "f32",
  shape: of.shape,
});

/** One part of a matrix [rows, cols] in a number format: codes [rows, cols] i8 or f4e2m1, or its scales or zero points [rows, groups]. */
export function quantize(of: Recipe, format: FormatName, rounding: Rounding, part: QuantizedPart): Recipe {
  const [rows = 1, cols = 1] = of.shape;
  const { scale, codes } = formats[format];
  const dtypes = { codes: codes === "e2m1" ? "f4e2m1" : "i8", scales: scale, zeros: "i8" } as const;
  return {
    kind: "quantize",
    of,
    format,
    rounding,
    part,
    dtype: dtypes[part],
    shape: [rows, part === "codes" ? cols : groupCount(formats[format], cols)],
  };
}

/** Whether rows of `cols` can be in a format: two codes of f4e2m1 share a byte. */
export const takesWidth = (format: FormatName, cols: number): boolean =>
  formats[format].codes === "integer" || cols % 2 === 0;

/** A matrix rounded to a number format: its codes behind their scales. */
export function quantized(of: Recipe, format: FormatName, rounding: Rounding): Recipe {
  const part = (name: QuantizedPart) => quantize(of, format, rounding, name);
  const zeros = formats[format].symmetric ? undefined : part("zeros");
  return inFormat(format, part("codes"), part("scales"), zeros);
}

/** Codes of a format behind their scales. */
export const inFormat = (format: FormatName, codes: Recipe, scales: Recipe, zeros?: Recipe): Recipe => ({
  ...dequantize(codes, scales, [1, groupWidth(formats[format], codes.shape[1] ?? 1)], zeros),
  ...(formats[format].bits === 4 && codes.dtype === "i8" && { bits: 4 }),
});

export const cast = (of: Recipe, dtype: DType): Recipe =>
  of.dtype === dtype ? of : { kind: "cast", of, dtype, shape: of.shape };

export function concat(parts: readonly Recipe[]): Recipe {
  const [first, ...rest] = parts;
  if (!first) throw new Error("concat of nothing");
  if (rest.length === 0) return first;
  const rows = parts.reduce((n, p) => n + (p.shape[0] ?? 0), 0);
  return { kind: "concat", parts, dtype: first.dtype, shape: [rows, ...first.shape.slice(1)] };
}

export function stack(parts: readonly Recipe[]): Recipe {
  const [first] = parts;
  if (!first) throw new Error("stack of nothing");
  return { kind: "stack", parts, dtype: first.dtype, shape: [parts.length, ...first.shape] };
}

export const reshape = (of: Recipe, shape: readonly number[]): Recipe => ({
  kind: "reshape",
  of,
  dtype: of.dtype,
  shape,
});

/** Each `block` elements of a row rotated by a Hadamard matrix, which is its own inverse. */
export const rotate = (of: Recipe, block: number): Recipe =>
  block === 1 ? of : { kind: "rotate", of, block, dtype: "f32", shape: of.shape };

export const slice = (of: Recipe, axis: number, begin: number, end: number): Recipe => ({
  kind: "slice",
  of,
  axis,
  begin,
  end,
  dtype: of.dtype,
  shape: of.shape.with(axis, end - begin),
});

export const transpose = (of: Recipe): Recipe =>
  of.kind === "transpose"
    ? of.of
    : {
        kind: "transpose",
        of,
        dtype: of.dtype,
        shape: [...of.shape.slice(0, -2), ...of.shape.slice(-2).reverse()],
      };

/** The recipes a recipe reads directly. */
export function inputs(recipe: Recipe): readonly Recipe[] {
  switch (recipe.kind) {
    case "source":
    case "literal":
      return [];
    case "concat":
    case "stack":
      return recipe.parts;
    case "dequantize":
      return [recipe.of, recipe.scale, ...(recipe.zero ? [recipe.zero] : [])];
    default:
      return [recipe.of];
  }
}

/** The names of the checkpoint tensors a recipe reads, in order. */
export const sourceNames = (recipe: Recipe): readonly string[] =>
  recipe.kind === "source" ? [recipe.name] : inputs(recipe).flatMap(sourceNames);

const count = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);
const same = (a: readonly number[], b: readonly number[]): boolean => a.join() === b.join();

/** Why the shapes or dtypes within a recipe do not fit together, or undefined. */
export function recipeFault(r: Recipe): string | undefined {
  for (const input of inputs(r)) {
    const fault = recipeFault(input);
    if (fault) return fault;
  }
  const whole = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;
  if (!r.shape.every(whole)) return `[${r.shape.join(",")}] is not a shape`;
  switch (r.kind) {
    case "source":
    case "cast":
      return undefined;
    case "quantize":
      if (r.of.shape.length !== 2) return "only a matrix can be quantized";
      return takesWidth(r.format, r.of.shape[1] ?? 1)
        ? undefined
        : `${r.format} needs an even number of columns`;
    case "literal":
      return count(r.shape) === r.values.length
        ? undefined
        : `${r.values.length} values for [${r.shape.join(",")}]`;
    case "dequantize": {
      const [rows = 1, cols = 1] = r.shape;
      const grid = [Math.ceil(rows / r.block[0]), Math.ceil(cols / r.block[1])];
      if (r.shape.length !== 2 || !same(grid, r.scale.shape)) return `scales must be [${grid.join(",")}]`;
      const [zeroRows = 0, zeroCols = 0] = r.zero?.shape ?? grid;
      const covers = zeroRows * zeroCols === 1 || (zeroRows === grid[0] && zeroCols >= (grid[1] ?? 0));
      return covers ? undefined : `zero points must be [${grid.join(",")}] or wider`;
    }
    case "concat":
    case "stack": {
      const axis = r.kind === "concat" ? 1 : 0;
      const [first] = r.parts;
      const fits = r.parts.every(
        (p) =>
          p.dtype === first?.dtype &&
          same(p.shape.slice(axis), first.shape.slice(axis)) &&
          p.shape.length >= axis,
      );
      return fits ? undefined : `the parts of ${r.kind} do not fit`;
    }
    case "rotate":
      return (r.of.shape.at(-1) ?? 0) % r.block === 0 ? undefined : `rows do not divide into ${r.block}`;
    case "reshape":
      return count(r.shape) === count(r.of.shape) ? undefined : "reshape changes the number of elements";
    case "slice":
      return 0 <= r.begin && r.begin < r.end && r.end <= (r.of.shape[r.axis] ?? -1)
        ? undefined
        : `slice ${r.begin}..${r.end} is outside axis ${r.axis}`;
    case "transpose":
      return r.of.shape.length >= 2 ? undefined : "transpose needs two axes";
  }
}
