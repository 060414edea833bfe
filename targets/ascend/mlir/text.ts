/** Lines of MLIR; blocks are lines further in. */
export type Lines = readonly string[];

export const inside = (lines: Lines): Lines => lines.map((it) => `  ${it}`);

export const constant = (name: string, value: number): string => `%${name} = arith.constant ${value} : index`;

/** A number known when the kernel is made, or a value of the kernel's. */
export type Size = number | `%${string}`;

/** How a type writes a size that only the run knows. */
export const typed = (size: Size): string => (typeof size === "number" ? String(size) : "?");

export const tensorType = (sizes: readonly Size[], element: string): string =>
  `tensor<${[...sizes.map(typed), element].join("x")}>`;

/** A box of a larger array: `strides` from one index of each axis to the next, where it begins known to the run. */
export const viewType = (sizes: readonly Size[], element: string, strides: readonly number[]): string =>
  `memref<${[...sizes.map(typed), element].join("x")}, strided<[${strides.join(", ")}], offset: ?>>`;

/** A box of an array that begins where the array does. */
export const cornerType = (sizes: readonly Size[], element: string, strides: readonly number[]): string =>
  `memref<${[...sizes.map(typed), element].join("x")}, strided<[${strides.join(", ")}]>>`;

export const localType = (sizes: readonly number[], element: string): string =>
  `memref<${[...sizes, element].join("x")}>`;

export const listOf = (items: readonly (number | string)[]): string => `[${items.join(", ")}]`;
