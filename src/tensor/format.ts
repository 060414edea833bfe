import { dtypes } from "./dtype.ts";

/**
 * How quantized weights are written: signed codes, one scale for each row and group of columns, and where the format is asymmetric
 * a zero point beside each scale. An element is (code - zero) * scale. The exact definition stands in docs/number-formats.md.
 */
export type WeightFormat = {
  readonly bits: 4 | 8;
  /** What a code stands for: a signed integer, or a number of E2M1 (OCP Microscaling Formats 1.0, section 5.3.3). */
  readonly codes: "integer" | "e2m1";
  /** Columns that a scale covers; Infinity is the whole row. The last group of a row may be shorter. */
  readonly group: number;
  readonly symmetric: boolean;
  /** What a scale can be. */
  readonly scale: "bf16" | "f32" | "f8e8m0";
  /** Rows that share a scale. */
  readonly blockRows: number;
};

const int8 = (group: number, blockRows: number): WeightFormat => ({
  bits: 8,
  codes: "integer",
  group,
  symmetric: true,
  scale: "f32",
  blockRows,
});

const int4 = (group: number, symmetric: boolean): WeightFormat => ({
  bits: 4,
  codes: "integer",
  group,
  symmetric,
  scale: group === Infinity ? "f32" : "bf16",
  blockRows: 1,
});

/** Every format of weights by the name it has on the command line and in plans. */
export const formats = {
  int8: int8(Infinity, 1),
  "int8-128x128": int8(128, 128),
  int4: int4(Infinity, true),
  "int4-g32": int4(32, true),
  "int4-g64": int4(64, true),
  "int4-g128": int4(128, true),
  "int4-asym": int4(Infinity, false),
  "int4-g32-asym": int4(32, false),
  "int4-g64-asym": int4(64, false),
  "int4-g128-asym": int4(128, false),
  mxfp4: { bits: 4, codes: "e2m1", group: 32, symmetric: true, scale: "f8e8m0", blockRows: 1 },
} as const satisfies Record<string, WeightFormat>;

export type FormatName = keyof typeof formats;
export const formatNames = Object.keys(formats) as FormatName[]; // Object.keys forgets the key type
export const isFormatName = (name: string): name is FormatName => Object.hasOwn(formats, name);

/** Columns that one scale covers in a row of `cols`. */
export const groupWidth = (format: WeightFormat, cols: number): number => Math.min(format.group, cols);

/** Scales of a row of `cols`. */
export const groupCount = (format: WeightFormat, cols: number): number =>
  Math.ceil(cols / groupWidth(format, cols));

/**
 * A quantized matrix [rows, cols]: codes row-major, scales and zeros [rows, groups], repeated for rows that share them. Codes are integers:
 * those of E2M1 are twice the number, and their scales half of what is stored, so that an element is (code - zero) * scale in every format.
 */
export type Quantized = {
  readonly codes: Int8Array;
  /** Each exactly representable in the format's scale dtype; of E2M1, its double is. */
  readonly scales: Float32Array;
  readonly zeros?: Int8Array;
};

/** Bits that a weight takes on average in a plan, scales and zero points counted; rows that share a scale have a copy each. */
export function bitsPerWeight(format: WeightFormat, cols: number): number {
  const perZero = format.symmetric ? 0 : 8;
  return format.bits + ((dtypes[format.scale].bits + perZero) * groupCount(format, cols)) / cols;
}

/** How scales are found: `nearest` from the largest magnitude, `clipped` by searching for the least squared error. */
export const roundings = ["nearest", "clipped"] as const;
export type Rounding = (typeof roundings)[number];

/** What a format is rounded by unless something else is asked for: eight bits lose little to their largest magnitude. */
export const usualRounding = ({ bits }: WeightFormat): Rounding => (bits === 8 ? "nearest" : "clipped");
export const isRounding = (name: string): name is Rounding => roundings.some((it) => it === name);
