import { closeSync, openSync } from "node:fs";
import { decodeToF32 } from "./codec.ts";
import { byteLength, type DType } from "./dtype.ts";
import type { Recipe } from "./recipe.ts";
import { readInto, type FileRegion } from "./source.ts";

/** Where a checkpoint tensor lies on disk. */
export type StoredTensor = {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly region: FileRegion;
};

/** Reads recipes row by row, all axes but the last flattened, so that no tensor need be held whole. */
export type RowReader = {
  /** Rows begin..end of a recipe as row-major bytes of the recipe's dtype. */
  readonly rows: (recipe: Recipe, begin: number, end: number) => Uint8Array;
  readonly close: () => void;
};

export const rowCount = (shape: readonly number[]): number => shape.slice(0, -1).reduce((n, d) => n * d, 1);
export const rowWidth = (shape: readonly number[]): number => shape.at(-1) ?? 1;
const rowBytes = (r: Recipe): number => byteLength(r.dtype, rowWidth(r.shape));

type Rows = RowReader["rows"];

/** `stored` gives the place of a tensor by its name. Files are opened once and closed by `close`. */
export function rowReader(stored: (name: string) => StoredTensor): RowReader {
  const files = new Map<string, number>();
  const scales = new Map<string, Float32Array>();
  const descriptor = (file: string): number => {
    const open = files.get(file) ?? openSync(file, "r");
    files.set(file, open);
    return open;
  };
  const readSource = (name: string, begin: number, end: number): Uint8Array => {
    const { dtype, shape, region } = stored(name);
    const width = byteLength(dtype, rowWidth(shape));
    const out = new Uint8Array((end - begin) * width);
    readInto(descriptor(region.file), out, region.offset + begin * width);
    return out;
  };
  /** The scale grid of a weight, kept for as long as that weight is read. */
  const scaleOf = (scale: Recipe): Float32Array => {
    const key = scale.kind === "source" ? scale.name : "";
    const held = scales.get(key);
    if (held && key) return held;
    scales.clear();
    const values = toF32(scale.dtype, rows(scale, 0, rowCount(scale.shape)));
    scales.set(key, values);
    return values;
  };
  const rows: Rows = (r, begin, end) => {
    switch (r.kind) {
      case "source":
        return readSource(r.name, begin, end);
      case "literal":
        return bytesOf(Float32Array.from(r.values)).subarray(begin * rowBytes(r), end * rowBytes(r));
      case "cast":
        return bytesOf(toF32(r.of.dtype, rows(r.of, begin, end)));
      case "dequantize":
        return dequantizeRows(
          toF32(r.of.dtype, rows(r.of, begin, end)),
          r.shape,
          begin,
          scaleOf(r.scale),
          r.scale.shape,
          r.block,
        );
      case "concat":
        return r.shape.length === 1 ? joinVectors(r.parts, rows) : joinRows(r, r.parts, begin, end, rows);
      case "stack":
        return joinRows(r, r.parts, begin, end, rows);
      case "reshape":
        return reshapeRows(r, r.of, begin, end, rows);
      case "slice":
        return sliceRows(r, begin, end, rows);
      case "transpose":
        return transposeRows(r, r.of, begin, end, rows);
    }
  };
  return {
    rows,
    close: () => {
      for (const fd of files.values()) closeSync(fd);
      files.clear();
    },
  };
}

function toF32(dtype: DType, bytes: Uint8Array): Float32Array {
  const out = new Float32Array(bytes.byteLength / byteLength(dtype, 1));
  decodeToF32(dtype, bytes, out);
  return out;
}

const bytesOf = (a: Float32Array): Uint8Array => new Uint8Array(a.buffer, a.byteOffset, a.byteLength);

/** Multiply each element by the scale of its block, counted from the tensor's first row: edges may be ragged. */
function dequantizeRows(
  values: Float32Array,
  shape: readonly number[],
  firstRow: number,
  scale: Float32Array,
  grid: readonly number[],
  [blockRows, blockCols]: readonly [number, number],
): Uint8Array {
  const width = rowWidth(shape);
  const gridWidth = rowWidth(grid);
  for (let i = 0; i < values.length / width; i++) {
    const scaleRow = Math.floor((firstRow + i) / blockRows) * gridWidth;
    for (let from = 0, block = 0; from < width; from += blockCols, block++) {
      const s = scale[scaleRow + block] ?? NaN;
      const to = i * width + Math.min(from + blockCols, width);
      for (let at = i * width + from; at < to; at++) values[at] = (values[at] ?? 0) * s;
    }
  }
  return bytesOf(values);
}

/** Parts follow one another row by row, under a new axis or along the first. */
function joinRows(r: Recipe, parts: readonly Recipe[], begin: number, end: number, rows: Rows): Uint8Array {
  const width = rowBytes(r);
  let first = 0;
  let out: Uint8Array | undefined;
  for (const part of parts) {
    const last = first + rowCount(part.shape);
    const from = Math.max(begin, first);
    const to = Math.min(end, last);
    if (from < to) {
      const piece = rows(part, from - first, to - first);
      if (from === begin && to === end) return piece;
      out ??= new Uint8Array((end - begin) * width);
      out.set(piece, (from - begin) * width);
    }
    first = last;
  }
  return out ?? new Uint8Array(0);
}

/** Vectors are one row each, so that joining them widens the row. */
const joinVectors = (parts: readonly Recipe[], rows: Rows): Uint8Array =>
  Buffer.concat(parts.map((part) => rows(part, 0, 1)));

/** Rows of the new shape out of the whole rows of the old that cover them. */
function reshapeRows(r: Recipe, of: Recipe, begin: number, end: number, rows: Rows): Uint8Array {
  const width = rowWidth(r.shape);
  const oldWidth = rowWidth(of.shape);
  if (width === oldWidth) return rows(of, begin, end);
  const first = Math.floor((begin * width) / oldWidth);
  const bytes = rows(of, first, Math.ceil((end * width) / oldWidth));
  const skip = byteLength(r.dtype, begin * width - first * oldWidth);
  return bytes.subarray(skip, skip + byteLength(r.dtype, (end - begin) * width));
}

function sliceRows(r: Recipe & { kind: "slice" }, begin: number, end: number, rows: Rows): Uint8Array {
  const last = r.shape.length - 1;
  const width = rowBytes(r);
  const out = new Uint8Array((end - begin) * width);
  if (r.axis === last) {
    const full = rows(r.of, begin, end);
    const stride = rowBytes(r.of);
    const skip = byteLength(r.dtype, r.begin);
    for (let i = 0; i < end - begin; i++)
      out.set(full.subarray(i * stride + skip, i * stride + skip + width), i * width);
    return out;
  }
  const inner = r.of.shape.slice(r.axis + 1, last).reduce((n, d) => n * d, 1);
  const run = (r.end - r.begin) * inner;
  const stride = (r.of.shape[r.axis] ?? 1) * inner;
  for (let at = begin; at < end;) {
    const within = at % run;
    const to = Math.min(end, at - within + run);
    const from = Math.floor(at / run) * stride + r.begin * inner + within;
    out.set(rows(r.of, from, from + to - at), (at - begin) * width);
    at = to;
  }
  return out;
}

/** Batch by batch: the rows of a transposed batch are the columns of the batch. */
function transposeRows(r: Recipe, of: Recipe, begin: number, end: number, rows: Rows): Uint8Array {
  const [height = 1, width = 1] = r.shape.slice(-2);
  const unit = byteLength(r.dtype, 1);
  const out = new Uint8Array((end - begin) * width * unit);
  for (let at = begin; at < end;) {
    const batch = Math.floor(at / height);
    const to = Math.min(end, (batch + 1) * height);
    const bytes = rows(of, batch * width, (batch + 1) * width);
    for (let row = at; row < to; row++)
      for (let column = 0; column < width; column++) {
        const from = (column * height + (row - batch * height)) * unit;
        out.set(bytes.subarray(from, from + unit), ((row - begin) * width + column) * unit);
      }
    at = to;
  }
  return out;
}
