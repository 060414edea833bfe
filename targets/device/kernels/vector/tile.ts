/**
 * What kernels of the vector cores are written with. Rows are split over all vector cores of the chip; a core takes them a few at a time,
 * and rows too long for its memory a few columns at a time.
 */
import type { Profile } from "../../../../src/machine/profile.ts";
import { spaceOf, usableBytes } from "../../../../src/machine/rates.ts";
import { insertFlags } from "../../../../src/machine/schedule/flags.ts";
import type { Kernel } from "../../../../src/machine/schedule/kernel.ts";
import { parseKernel } from "../../../../src/machine/schedule/parser.ts";
import { fail } from "../../../../src/support/diagnostics.ts";
import { dtypes, type DType } from "../../../../src/tensor/dtype.ts";

/** How an operand lies: rows of `heads` runs of `width` elements; strides in elements, those of what lies row by row where they are absent. */
export type View = {
  readonly dtype: DType;
  readonly width: number;
  readonly heads?: number;
  readonly rowStride?: number;
  readonly headStride?: number;
  /** In the device's fractals, as weights may be stored: the matrix unit takes it as it is. */
  readonly nz?: boolean;
  /** Whole numbers, as the matrix unit sums codes: what they stand for is each times its column's scale, then its row's. One head only. */
  readonly isSums?: boolean;
};

/** A kernel from its text, flags put in. */
export const kernelOf = (profile: Profile, text: string): Kernel => insertFlags(parseKernel(text), profile);

export const headsOf = ({ heads = 1 }: View): number => heads;

/** Lines of a schedule; what is not there is left out. */
export const lines = (...of: readonly (string | false | undefined)[]): string =>
  of.filter((it) => typeof it === "string").join("\n");

type Role = "in" | "out" | "inout";

/** The declaration of an operand of so many rows: [rows, width], or [rows, heads, width]. */
export function tensor(name: string, view: View, role: Role, rows = "S"): string {
  const [heads, { width, rowStride = heads * width, headStride = width }] = [headsOf(view), view];
  const dims = heads > 1 ? [rows, heads, width] : [rows, width];
  const strides = heads > 1 ? [rowStride, headStride, 1] : [rowStride, 1];
  const isDense = rowStride === heads * width && (heads === 1 || headStride === width);
  return `tensor ${name}: ${view.dtype}[${dims.join()}] ${isDense ? "" : `strides [${strides.join()}] `}${view.nz ? "nz " : ""}${role}`;
}

/** Some rows of an operand and some of their columns, all heads. */
export const box = (name: string, view: View, rows = "row : rows", columns = "c : cols"): string =>
  headsOf(view) > 1 ? `${name}[${rows}, 0 : ${headsOf(view)}, ${columns}]` : `${name}[${rows}, ${columns}]`;

const upTo = (n: number, unit: number): number => Math.ceil(n / unit) * unit;

/** Bytes at a multiple of which rows of buffers start. */
const unit = 32;

/** Columns of a buffer whose rows start where the machine can address them. */
export const pitch = (dtype: DType, cols: number): number => upTo(cols, (unit * 8) / dtypes[dtype].bits);

/** The declaration of a buffer of the vector unit. */
export const buffer =
  ({ vector }: Profile) =>
  (name: string, dtype: DType, rows: number, cols: number, copies = 1): string =>
    `buffer ${name}: ${vector.space} ${dtype}[${rows}, ${cols === 1 ? 1 : pitch(dtype, cols)}]${copies > 1 ? ` x${copies}` : ""}`;

/** Bytes that a kernel's buffers take: by element of a chunk, of a whole row, of a row that is there once, and by row. */
export type Need = {
  readonly chunk: number;
  readonly row?: number;
  readonly once?: number;
  readonly column?: number;
};

/** Rows taken at a time, and columns of them. */
export type Tile = { readonly rows: number; readonly cols: number };

/** Copies of what is only passed on: so many are under way that the latencies of loads and stores do not show. */
export const copies = 4;

/** Copies of so many bytes reach the memory's rate, and leave work for all cores. */
const stream = 32 * 1024;

/** Whether a kernel's buffers fit the vector unit's space. */
export function fitsTile(
  profile: Profile,
  width: number,
  heads: number,
  need: Need,
  { rows, cols }: Tile,
): boolean {
  const { chunk, row = 0, once = 0, column = 0 } = need;
  const space = spaceOf(profile, profile.vector.space);
  const padded = upTo(width, unit);
  // Each buffer may be rounded up.
  const room = usableBytes(space) - 24 * space.align.value;
  return rows * heads * (chunk * cols + row * padded + 4 * column) + once * padded <= room;
}

/**
 * The largest tile that fits the vector unit's space: as many whole rows as make a good copy, else one row in even chunks of a multiple of
 * `quantum` columns.
 */
export function tileOf(profile: Profile, width: number, heads: number, need: Need, quantum = 64): Tile {
  const padded = upTo(width, unit);
  const fits = (rows: number, cols: number): boolean => fitsTile(profile, width, heads, need, { rows, cols });
  let rows = Math.max(1, Math.floor(stream / (4 * heads * width)));
  while (rows > 1 && !fits(rows, padded)) rows--;
  let chunks = 1;
  const colsIn = (n: number): number => Math.min(padded, upTo(Math.ceil(width / n), quantum));
  while (colsIn(chunks) > quantum && !fits(rows, colsIn(chunks))) chunks++;
  // A buffer of one column holds a number for each row, not rows of one element.
  return { rows, cols: Math.max(2, Math.min(width, colsIn(chunks))) };
}

/** Every core's rows, `rows` from `row` at a time; `lines` is how many rows of buffers they make. */
export const overRows = ({ rows }: Tile, heads: number, body: string, of = "S"): string => `
let share = ceil(${of}, groups * cores)
let step = ceil(share, max(1, ceil(share, ${rows})))
for row in (group * cores + core) * step .. ${of} step groups * cores * step {
  let rows = min(step, ${of} - row)
  let lines = rows * ${heads}
  ${body}
}`;

/** Columns that a core is sent for at least: fewer take no less time. */
const worthCore = 512;

/**
 * As `overRows`, and within them `overColumns`, for work on each element alone: where there are fewer rows than cores, several share the columns of
 * a row.
 */
export function overElements(tile: Tile, width: number, heads: number, body: string): string {
  const most = Math.ceil(width / worthCore);
  if (most === 1) return overRows(tile, heads, overColumns(tile, width, body));
  return `
let all = groups * cores
let share = ceil(S, all)
let step = ceil(share, max(1, ceil(share, ${tile.rows})))
let cuts = max(1, min(${most}, all / S))
let wide = ceil(${width}, cuts * ${worthCore}) * ${worthCore}
for t in group * cores + core .. ceil(S, step) * cuts step all {
  let row = t / cuts * step
  let rows = min(step, S - row)
  let lines = rows * ${heads}
  let end = min(${width}, (t mod cuts + 1) * wide)
  for c in t mod cuts * wide .. end step ${tile.cols} {
    let cols = min(${tile.cols}, end - c)
    ${body}
  }
}`;
}

/** Rows whose numbers are loaded together: what waits for a number waits for its load, so loads of few rows would show. */
export const held = 128;

/**
 * As `overRows`, for rows that are reached by numbers of their own: `load` brings those of `some` rows from `block` on into a buffer, and row
 * `row + r` finds its own at place `at + r`.
 */
export const overNumberedRows = ({ rows }: Tile, heads: number, load: string, body: string): string => `
let share = ceil(S, groups * cores)
let own = (group * cores + core) * share
for block in own .. min(S, own + share) step ${held} {
  let some = min(${held}, min(S, own + share) - block)
  ${load}
  for at in 0 .. some step ${rows} {
    let row = block + at
    let rows = min(${rows}, some - at)
    let lines = rows * ${heads}
    ${body}
  }
}`;

/**
 * As `overNumberedRows`, one row of buffers a row; where there are fewer rows than cores, several share the columns of a row: a core has those from
 * `left` to `right`.
 */
export const overSharedRows = ({ rows }: Tile, width: number, load: string, body: string): string => `
let all = groups * cores
let index = group * cores + core
let cuts = max(1, min(${Math.ceil(width / worthCore)}, all / S))
let wide = ceil(${width}, cuts * ${worthCore}) * ${worthCore}
let left = index mod cuts * wide
let right = min(${width}, left + wide)
let share = ceil(S, all)
let own = index / cuts * share
for block in own .. min(S, own + share) step ${held} {
  let some = min(${held}, min(S, own + share) - block)
  ${load}
  for at in 0 .. some step ${rows} {
    let row = block + at
    let rows = min(${rows}, some - at)
    ${body}
  }
}`;

/** A core's columns of shared rows, `cols` from `c` at a time. */
export const overOwnColumns = ({ cols }: Tile, body: string): string => `
for c in left .. right step ${cols} {
  let cols = min(${cols}, right - c)
  ${body}
}`;

/** The columns of a row, `cols` from `c` at a time. */
export const overColumns = ({ cols }: Tile, width: number, body: string): string => `
for c in 0 .. ${width} step ${cols} {
  let cols = min(${cols}, ${width} - c)
  ${body}
}`;

/** The dtypes on the way from one to another by the vector unit's own conversions, both ends left out; undefined where there is none. */
export function castWay({ vector }: Profile, from: DType, to: DType): readonly DType[] | undefined {
  const ways: (readonly DType[])[] = [[from]];
  for (const way of ways) {
    const last = way.at(-1) ?? from;
    if (last === to) return way.slice(1, -1);
    for (const it of vector.converts.value)
      if (it.from === last && !ways.some((other) => other.includes(it.to))) ways.push([...way, it.to]);
  }
  return undefined;
}

/** The whole numbers that the vector unit makes of float32, the narrowest first, and that it makes codes of. */
const wholes = ["i8", "i16", "i32"] as const;

/** The dtypes on the way from float32 to int8 by whole numbers, so that it is rounded once; undefined where there is no such way. */
export function roundingWay(profile: Profile): readonly DType[] | undefined {
  for (const first of wholes) {
    const [there, on] = [castWay(profile, "f32", first), castWay(profile, first, "i8")];
    if (there?.length === 0 && on) return first === "i8" ? [] : [first, ...on];
  }
  return undefined;
}

/** As `castWay`. Throws `device/no-conversion` where there is none. */
export const castSteps = (profile: Profile, from: DType, to: DType): readonly DType[] =>
  castWay(profile, from, to) ?? fail("device/no-conversion", undefined, profile.name, from, to);

/** Copy a box of one buffer into another of its own dtype, by way of buffers named `to` and the dtype of each step. */
export function cast(
  profile: Profile,
  from: { readonly box: string; readonly dtype: DType },
  to: { readonly box: string; readonly dtype: DType },
  between: (dtype: DType) => string,
): string {
  if (from.dtype === to.dtype) return `vector copy ${from.box} -> ${to.box}`;
  return along([from.box, ...castSteps(profile, from.dtype, to.dtype).map(between), to.box]);
}

/** From each box to the next. */
export function along(boxes: readonly string[]): string {
  return boxes.slice(1).map((it, i) => `vector copy ${boxes[i]} -> ${it}`).join("\n"); // prettier-ignore
}
