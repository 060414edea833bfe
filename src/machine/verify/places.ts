/** Where boxes may lie: within what they are of, and where its space can be addressed. */
import { dtypes, type DType } from "../../tensor/dtype.ts";
import type { Profile, Space } from "../profile.ts";
import type { Env } from "../schedule/expr.ts";
import type { Place } from "../schedule/walk.ts";
import type { Extent } from "./boxes.ts";

/** In words, what of a place is beyond its buffer or tensor. */
export function outside({ box, at, size }: Place, env: Env): string | undefined {
  for (let axis = 0; axis < at.length; axis++) {
    const whole = box.kind === "tensor" ? box.dims[axis]?.(env) : axis === 0 ? box.decl.rows : box.decl.cols;
    const [from = 0, n = 0] = [at[axis], size[axis]];
    if (isBeyond(from, n, whole)) return beyondText(box.decl.name, axis, from, n, whole);
  }
  return undefined;
}

/** The same of a box of an array of some sizes. */
export function beyond(name: string, dims: readonly number[], { at, size }: Extent): string | undefined {
  const axis = dims.findIndex((whole, i) => isBeyond(at[i] ?? 0, size[i] ?? 0, whole));
  return axis < 0 ? undefined : beyondText(name, axis, at[axis] ?? 0, size[axis] ?? 0, dims[axis]);
}

const isBeyond = (from: number, n: number, whole = 0): boolean => from < 0 || from + n > whole;

const beyondText = (name: string, axis: number, from: number, n: number, whole: number | undefined): string =>
  `${from}..${from + n} of axis ${axis} of ${name}, which has ${whole}`;

/** In words, how a place in a buffer starts where its space cannot be addressed. */
export function misaligned({ box, at }: Place, profile: Profile): string | undefined {
  const [row = 0, col = 0] = at;
  if (box.kind !== "buffer" || (row === 0 && col === 0)) return undefined;
  const space = profile.spaces.find((s) => s.name === box.decl.space);
  if (!space) return undefined;
  const bytes = (col * dtypes[box.decl.dtype].bits) / 8;
  return space.fractal !== undefined && !space.layouts.includes("nd")
    ? fractalFault(row, bytes, space.fractal, box.decl.name)
    : linearFault(row, bytes, space, box.decl);
}

function fractalFault(
  row: number,
  bytes: number,
  fractal: NonNullable<Space["fractal"]>,
  name: string,
): string | undefined {
  const [rows, wide] = [fractal.rows.value, fractal.rowBytes.value];
  if (row % rows !== 0) return `row ${row} of ${name} is not at a multiple of ${rows}`;
  return bytes % wide === 0
    ? undefined
    : `column at byte ${bytes} of ${name} is not at a multiple of ${wide}`;
}

function linearFault(
  row: number,
  bytes: number,
  { align, scope }: Space,
  { name, dtype, cols }: { readonly name: string; readonly dtype: DType; readonly cols: number },
): string | undefined {
  if (scope !== "core") return undefined;
  const start = row * ((cols * dtypes[dtype].bits) / 8) + bytes;
  return start % unitOf(align) === 0
    ? undefined
    : `byte ${start} of ${name} is not at a multiple of ${unitOf(align)}`;
}

/** What a space of a core is addressed by, in bytes. */
const unitOf = (align: Space["align"]): number => Math.min(align.value, 32);

/** In words, how rows that come from memory or go there lie where their buffer's space cannot be addressed. Whole rows one behind the other are one run. */
export function unevenRows(
  { box, size: [rows = 1, wide = 1] }: Place,
  { spaces }: Profile,
): string | undefined {
  if (box.kind !== "buffer" || rows <= 1 || wide === box.decl.cols) return undefined;
  const { name, space: of, dtype, cols } = box.decl;
  const space = spaces.find((it) => it.name === of);
  if (!space || space.scope !== "core" || (space.fractal && !space.layouts.includes("nd"))) return undefined;
  const pitch = (cols * dtypes[dtype].bits) / 8;
  return pitch % unitOf(space.align) === 0
    ? undefined
    : `rows of ${name} are ${pitch} bytes apart, which is no multiple of ${unitOf(space.align)}`;
}
