import { crc32 } from "node:zlib";
import { dtypes } from "../tensor/dtype.ts";
import { blockRows, type PackedType } from "../tensor/pack.ts";
import { cast, type Recipe } from "../tensor/recipe.ts";
import { rowBytes, rowCount, rowWidth, type RowReader } from "../tensor/recipe-rows.ts";
import type { Scratch } from "../tensor/scratch.ts";
import type { Sink } from "../tensor/sink.ts";
import type { Packer } from "./packing/packer.ts";
import { matrices, storedForm } from "./stored-weight.ts";
import type { WeightRequest } from "./weights.ts";

/** What a thread writes weights with. */
export type Tools = { readonly reader: RowReader; readonly memory: Scratch; readonly packer: Packer };

/** About how much of a weight is held at once: what a core's own cache holds. */
const chunkBytes = 1 << 19;

/** Run one weight's recipe into the file at `offset`, some rows at a time. Gives the crc32 of what was written. */
export function writeWeight(sink: Sink, offset: number, w: WeightRequest, tools: Tools): number {
  let at = offset;
  let crc = 0;
  weightBytes(w, tools, (bytes) => {
    crc = crc32(bytes, crc);
    sink.putAt(bytes, at);
    at += bytes.byteLength;
  });
  return crc;
}

/** Run one weight's recipe, and put what it gives piece by piece. */
export function weightBytes(w: WeightRequest, tools: Tools, put: Put): void {
  const isCodes = w.dtype === "i8" || w.dtype === "i4";
  const recipe = isCodes || w.dtype === w.recipe.dtype ? w.recipe : cast(w.recipe, w.dtype);
  if (w.layout === "packed") writePacked(w.dtype, recipe, tools, put);
  else if ((rowWidth(recipe.shape) * dtypes[w.dtype].bits) % 8 !== 0)
    writeWhole(recipe, storedForm(w).bytes, tools, put);
  else writePlain(recipe, tools, put);
}

type Put = (bytes: Uint8Array) => void;

/** Elements of less than a byte, whose rows do not begin at one. */
function writeWhole(recipe: Recipe, size: number, { reader, memory }: Tools, put: Put): void {
  memory.lend(size, (bytes) => {
    reader.read(recipe, 0, bytes);
    put(bytes);
  });
}

function writePlain(recipe: Recipe, { reader, memory }: Tools, put: Put): void {
  const width = rowBytes(recipe);
  const rows = rowCount(recipe.shape);
  const step = Math.max(1, Math.floor(chunkBytes / width));
  for (let row = 0; row < rows; row += step)
    memory.lend(Math.min(step, rows - row) * width, (bytes) => {
      reader.read(recipe, row, bytes);
      put(bytes);
    });
}

function writePacked(dtype: PackedType, recipe: Recipe, { reader, packer }: Tools, put: Put): void {
  const { count, rows, cols } = matrices(recipe);
  const step = Math.max(blockRows, Math.floor(chunkBytes / rowBytes(recipe) / blockRows) * blockRows);
  for (let matrix = 0; matrix < count; matrix++)
    for (let row = 0; row < rows; row += step)
      put(
        packer.pack(dtype, Math.min(step, rows - row), cols, (room) =>
          reader.read(recipe, matrix * rows + row, room),
        ),
      );
}
