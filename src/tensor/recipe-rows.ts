import { closeSync, openSync } from "node:fs";
import { fail } from "../support/diagnostics.ts";
import { decodeToF32, encodeBf16 } from "./codec.ts";
import { formats, type Quantized, type Rounding, type WeightFormat } from "./format.ts";
import { byteLength, dtypes, type DType } from "./dtype.ts";
import { sourceNames, type QuantizedPart, type Recipe } from "./recipe.ts";
import { bytesOfPart } from "./stored-parts.ts";
import { rotateBlocks } from "./hadamard.ts";
import { scratch, type Scratch } from "./scratch.ts";
import { readInto, type FileRegion } from "./source.ts";

/** Rounds a matrix [rows, cols] to a format. Each row, or block of rows that share scales, is rounded on its own. */
export type Quantizer = (
  values: Float32Array,
  rows: number,
  cols: number,
  format: WeightFormat,
  rounding: Rounding,
) => Quantized;

/**
 * Rounds rows faster than a `Quantizer`, where it can: writes one part of these rows, as it is stored, to `out` and gives true. `fill` puts the
 * rows into the room it is given, in the dtype of `of`.
 */
export type RowRounder = (task: {
  readonly of: Recipe;
  readonly rows: number;
  readonly cols: number;
  readonly format: WeightFormat;
  readonly rounding: Rounding;
  readonly part: QuantizedPart;
  readonly fill: (room: Uint8Array) => void;
  readonly out: Uint8Array;
}) => boolean;

/** Where a checkpoint tensor lies on disk. */
export type StoredTensor = {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly region: FileRegion;
};

/** Reads recipes row by row, all axes but the last flattened, so that no tensor need be held whole. */
export type RowReader = {
  /** Fill `out` with rows begin, begin+1, … of a recipe, row-major in the recipe's dtype; `out` is 4-byte aligned. */
  readonly read: (recipe: Recipe, begin: number, out: Uint8Array) => void;
  readonly close: () => void;
};

export const rowCount = (shape: readonly number[]): number => shape.slice(0, -1).reduce((n, d) => n * d, 1);
export const rowWidth = (shape: readonly number[]): number => shape.at(-1) ?? 1;
export const rowBytes = (r: Recipe): number => byteLength(r.dtype, rowWidth(r.shape));

type Of<K extends Recipe["kind"]> = Extract<Recipe, { kind: K }>;
type Read = RowReader["read"];

/** `stored` gives the place of a tensor by its name. Files are opened once and closed by `close`. */
export function rowReader(
  stored: (name: string) => StoredTensor,
  quantizer: Quantizer,
  rounder: RowRounder = () => false,
): RowReader {
  const memory = scratch();
  const files = new Map<string, number>();
  const descriptor = (file: string): number => {
    const open = files.get(file) ?? openSync(file, "r");
    files.set(file, open);
    return open;
  };
  const readSource = (name: string, begin: number, out: Uint8Array): void => {
    const { dtype, shape, region } = stored(name);
    readInto(descriptor(region.file), out, region.offset + begin * byteLength(dtype, rowWidth(shape)));
  };
  const load = (grid: Recipe): Float32Array => {
    const values = new Float32Array(rowCount(grid.shape) * rowWidth(grid.shape));
    readAsF32(grid, 0, values, read, memory);
    return values;
  };
  const [scaleOf, zeroOf] = [scaleGrids(load), scaleGrids(load)];
  const read: Read = (r, begin, out) => {
    switch (r.kind) {
      case "source":
        return readSource(r.name, begin, out);
      case "literal":
        return out.set(new Uint8Array(Float32Array.from(r.values).buffer, begin * rowBytes(r), out.length));
      case "cast":
        return castRows(r, begin, out, read, memory);
      case "dequantize":
        readAsF32(r.of, begin, floatsOf(out), read, memory);
        return scaleBlocks(floatsOf(out), r, begin, scaleOf(r.scale), r.zero && zeroOf(r.zero));
      case "rotate":
        readAsF32(r.of, begin, floatsOf(out), read, memory);
        return rotateBlocks(floatsOf(out), r.block);
      case "quantize":
        return quantizeRows(r, begin, out, { quantizer, rounder }, read, memory);
      case "concat":
        return r.shape.length === 1 ? joinVectors(r.parts, out, read) : joinRows(r.parts, begin, out, read);
      case "stack":
        return joinRows(r.parts, begin, out, read);
      case "reshape":
        return reshapeRows(r, begin, out, read, memory);
      case "slice":
        return sliceRows(r, begin, out, read, memory);
      case "transpose":
        return transposeRows(r, begin, out, read, memory);
    }
  };
  return {
    read,
    close: () => {
      for (const fd of files.values()) closeSync(fd);
      files.clear();
    },
  };
}

const floatsOf = (bytes: Uint8Array): Float32Array =>
  new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);

/** Rows in another dtype that holds their values. Throws `target/overflow` where f16 does not. */
function castRows(r: Of<"cast">, begin: number, out: Uint8Array, read: Read, memory: Scratch): void {
  if (r.dtype === "f32") return readAsF32(r.of, begin, floatsOf(out), read, memory);
  memory.lend((out.length * 32) / dtypes[r.dtype].bits, (bytes) => {
    const values = floatsOf(bytes);
    readAsF32(r.of, begin, values, read, memory);
    const { buffer, byteOffset, byteLength } = narrowed(r, begin, values);
    out.set(new Uint8Array(buffer, byteOffset, byteLength));
  });
}

/** Values in the dtype of a cast; four bits lie two to a byte, the first in the low half. */
function narrowed(r: Of<"cast">, begin: number, values: Float32Array): ArrayBufferView {
  switch (r.dtype) {
    case "bf16":
      return encodeBf16(values);
    case "f16": {
      const narrow = new Float16Array(values);
      const at = narrow.findIndex((x, i) => !Number.isFinite(x) && Number.isFinite(values[i]));
      const width = rowWidth(r.shape);
      if (at >= 0) fail("target/overflow", placeOf(r), values[at] ?? 0, begin + Math.floor(at / width), at % width); // prettier-ignore
      return narrow;
    }
    case "i8":
      return Int8Array.from(values);
    case "i4":
      return Uint8Array.from({ length: Math.ceil(values.length / 2) }, (_, i) => ((values[2 * i] ?? 0) & 15) | (((values[2 * i + 1] ?? 0) & 15) << 4)); // prettier-ignore
    default:
      throw new Error(`nothing is cast to ${r.dtype}`);
  }
}

const placeOf = (of: Recipe) => ({ kind: "tensor", tensor: sourceNames(of).join("+") }) as const;

/** Rows widened to float32, exactly. */
function readAsF32(r: Recipe, begin: number, out: Float32Array, read: Read, memory: Scratch): void {
  memory.lend(byteLength(r.dtype, out.length), (codes) => {
    read(r, begin, codes);
    decodeToF32(r.dtype, codes, out);
  });
}

/** The scale grid of the weight that is being read; a weight is read in many calls, one after another. */
function scaleGrids(load: (scale: Recipe) => Float32Array): (scale: Recipe) => Float32Array {
  let held: { readonly scale: Recipe; readonly values: Float32Array } | undefined;
  return (scale) => {
    if (held?.scale !== scale) held = { scale, values: load(scale) };
    return held.values;
  };
}

/** Take the zero point of its block off each element and multiply by the scale, counted from the tensor's first row: edges may be ragged. */
function scaleBlocks(
  values: Float32Array,
  r: Of<"dequantize">,
  begin: number,
  scale: Float32Array,
  zero: Float32Array | undefined,
): void {
  const [blockRows, blockCols] = r.block;
  const width = rowWidth(r.shape);
  const gridWidth = rowWidth(r.scale.shape);
  const zeroWidth = r.zero ? rowWidth(r.zero.shape) : 1;
  for (let i = 0; i < values.length / width; i++) {
    const gridRow = Math.floor((begin + i) / blockRows);
    for (let from = 0, block = 0; from < width; from += blockCols, block++) {
      const s = scale[gridRow * gridWidth + block] ?? NaN;
      const none = zero?.[zero.length === 1 ? 0 : gridRow * zeroWidth + block] ?? 0;
      const to = i * width + Math.min(from + blockCols, width);
      for (let at = i * width + from; at < to; at++) values[at] = ((values[at] ?? 0) - none) * s;
    }
  }
}

/** About how many elements are rounded at once: what a core's own cache holds. */
const roundedAtOnce = 1 << 18;

/** Rows of one part of a quantized matrix, out of the whole blocks of rows that cover them, some blocks at a time. */
function quantizeRows(
  r: Of<"quantize">,
  begin: number,
  out: Uint8Array,
  by: { readonly quantizer: Quantizer; readonly rounder: RowRounder },
  read: Read,
  memory: Scratch,
): void {
  const { blockRows } = formats[r.format];
  const [height = 1, width = 1] = r.of.shape;
  const size = rowBytes(r);
  const end = begin + out.length / size;
  const step = Math.max(1, Math.floor(roundedAtOnce / width / blockRows)) * blockRows;
  for (let first = begin - (begin % blockRows); first < end; first += step) {
    const last = Math.min(height, first + step);
    const [from, to] = [Math.max(begin, first), Math.min(end, last)];
    const target = out.subarray((from - begin) * size, (to - begin) * size);
    if (from === first && to === last) roundRows(r, first, last, target, by, read, memory);
    else
      memory.lend((last - first) * size, (whole) => {
        roundRows(r, first, last, whole, by, read, memory);
        target.set(whole.subarray((from - first) * size, (to - first) * size));
      });
  }
}

/** One part of whole blocks of rows, `first` to `last`. */
function roundRows(
  r: Of<"quantize">,
  first: number,
  last: number,
  out: Uint8Array,
  { quantizer, rounder }: { readonly quantizer: Quantizer; readonly rounder: RowRounder },
  read: Read,
  memory: Scratch,
): void {
  const format = formats[r.format];
  const { of, rounding, part } = r;
  const [rows, cols] = [last - first, of.shape[1] ?? 1];
  const fill = (room: Uint8Array) => read(of, first, room);
  if (rounder({ of, rows, cols, format, rounding, part, fill, out })) return;
  memory.lend(rows * cols * 4, (bytes) => {
    const values = floatsOf(bytes);
    readAsF32(of, first, values, read, memory);
    checkFinite(of, first, values);
    out.set(bytesOfPart(quantizer(values, rows, cols, format, rounding), part, format));
  });
}

/** Throws `quant/not-finite` where rows of a matrix, from `first` on, hold what no scale covers. */
export function checkFinite(of: Recipe, first: number, values: Float32Array): void {
  const at = values.findIndex((x) => !Number.isFinite(x));
  if (at < 0) return;
  const cols = rowWidth(of.shape);
  fail("quant/not-finite", placeOf(of), first + Math.floor(at / cols), at % cols);
}

/** Parts follow one another row by row, under a new axis or along the first. */
function joinRows(parts: readonly Recipe[], begin: number, out: Uint8Array, read: Read): void {
  let first = 0;
  let done = 0;
  for (const part of parts) {
    const width = rowBytes(part);
    const count = rowCount(part.shape);
    const from = begin + done / width - first;
    if (from < count && done < out.length) {
      const take = Math.min((count - from) * width, out.length - done);
      read(part, from, out.subarray(done, done + take));
      done += take;
    }
    first += count;
  }
}

/** Vectors are one row each, so that joining them widens the row. */
function joinVectors(parts: readonly Recipe[], out: Uint8Array, read: Read): void {
  let at = 0;
  for (const part of parts) {
    read(part, 0, out.subarray(at, at + rowBytes(part)));
    at += rowBytes(part);
  }
}

/** Rows of the new shape out of the whole rows of the old that cover them. */
function reshapeRows(r: Of<"reshape">, begin: number, out: Uint8Array, read: Read, memory: Scratch): void {
  const [width, oldWidth] = [rowBytes(r), rowBytes(r.of)];
  if (width === oldWidth) return read(r.of, begin, out);
  const start = begin * width;
  const first = Math.floor(start / oldWidth);
  const last = Math.ceil((start + out.length) / oldWidth);
  memory.lend((last - first) * oldWidth, (rows) => {
    read(r.of, first, rows);
    const skip = start - first * oldWidth;
    out.set(rows.subarray(skip, skip + out.length));
  });
}

function sliceRows(r: Of<"slice">, begin: number, out: Uint8Array, read: Read, memory: Scratch): void {
  const last = r.shape.length - 1;
  const width = rowBytes(r);
  const end = begin + out.length / width;
  if (r.axis === last) {
    const stride = rowBytes(r.of);
    const skip = byteLength(r.dtype, r.begin);
    return memory.lend((end - begin) * stride, (full) => {
      read(r.of, begin, full);
      for (let i = 0; i < end - begin; i++)
        out.set(full.subarray(i * stride + skip, i * stride + skip + width), i * width);
    });
  }
  const inner = r.of.shape.slice(r.axis + 1, last).reduce((n, d) => n * d, 1);
  const run = (r.end - r.begin) * inner;
  const stride = (r.of.shape[r.axis] ?? 1) * inner;
  for (let at = begin; at < end;) {
    const within = at % run;
    const to = Math.min(end, at - within + run);
    const from = Math.floor(at / run) * stride + r.begin * inner + within;
    read(r.of, from, out.subarray((at - begin) * width, (to - begin) * width));
    at = to;
  }
}

/** The elements of a dtype as integers of its width, to be moved as they are. */
function unitsOf(dtype: DType, { buffer, byteOffset, byteLength: bytes }: Uint8Array) {
  switch (dtypes[dtype].bits) {
    case 8:
      return new Uint8Array(buffer, byteOffset, bytes);
    case 16:
      return new Uint16Array(buffer, byteOffset, bytes / 2);
    case 32:
      return new Uint32Array(buffer, byteOffset, bytes / 4);
    default:
      throw new Error(`${dtype} cannot be transposed`);
  }
}

/** Batch by batch: the rows of a transposed batch are the columns of the batch. */
function transposeRows(
  r: Of<"transpose">,
  begin: number,
  out: Uint8Array,
  read: Read,
  memory: Scratch,
): void {
  const [height = 1, width = 1] = r.shape.slice(-2);
  const rows = out.length / rowBytes(r);
  memory.lend(byteLength(r.dtype, height * width), (bytes) => {
    const from = unitsOf(r.dtype, bytes);
    const to = unitsOf(r.dtype, out);
    for (let i = 0; i < rows; i++) {
      const row = (begin + i) % height;
      if (i === 0 || row === 0) read(r.of, Math.floor((begin + i) / height) * width, bytes);
      for (let column = 0; column < width; column++)
        to[i * width + column] = from[column * height + row] ?? 0;
    }
  });
}
