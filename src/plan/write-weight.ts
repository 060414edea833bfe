import { writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import { packRows, packedBytes } from "../tensor/pack.ts";
import { cast } from "../tensor/recipe.ts";
import { rowCount, rowWidth, type RowReader } from "../tensor/recipe-rows.ts";
import { matrices } from "./stored-weight.ts";
import type { WeightRequest } from "./weights.ts";

/** About how much of a weight is held at once. */
const chunkBytes = 4 << 20;

/** Run one weight's recipe into the file at `offset`, some rows at a time. Gives the crc32 of what was written. */
export function writeWeight(fd: number, offset: number, w: WeightRequest, reader: RowReader): number {
  let at = offset;
  let crc = 0;
  const put = (bytes: Uint8Array) => {
    crc = crc32(bytes, crc);
    for (let done = 0; done < bytes.byteLength;)
      done += writeSync(fd, bytes, done, bytes.byteLength - done, at + done);
    at += bytes.byteLength;
  };
  if (w.layout === "packed") writePacked(w, reader, put);
  else writePlain(w, reader, put);
  return crc;
}

function writePlain(w: WeightRequest, reader: RowReader, put: (bytes: Uint8Array) => void): void {
  const recipe = w.dtype === w.recipe.dtype ? w.recipe : cast(w.recipe, w.dtype);
  const rows = rowCount(recipe.shape);
  const step = Math.max(1, Math.floor(chunkBytes / (rowWidth(recipe.shape) * 4)));
  for (let row = 0; row < rows; row += step) put(reader.rows(recipe, row, Math.min(rows, row + step)));
}

function writePacked(w: WeightRequest, reader: RowReader, put: (bytes: Uint8Array) => void): void {
  const { count, rows, cols } = matrices(w.recipe);
  const recipe = w.dtype === w.recipe.dtype ? w.recipe : cast(w.recipe, w.dtype);
  const step = Math.max(16, Math.floor(chunkBytes / (cols * 4) / 16) * 16);
  const out = new Uint8Array(packedBytes(w.dtype, Math.min(step, Math.ceil(rows / 16) * 16), cols));
  for (let matrix = 0; matrix < count; matrix++)
    for (let row = 0; row < rows; row += step) {
      const n = Math.min(step, rows - row);
      const first = matrix * rows + row;
      const packed = out.subarray(0, packedBytes(w.dtype, n, cols));
      packRows(w.dtype, reader.rows(recipe, first, first + n), n, cols, packed);
      put(packed);
    }
}
