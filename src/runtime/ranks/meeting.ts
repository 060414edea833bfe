import type { CollectiveCall, PlacedRows } from "../engine/execute.ts";
import type { Endpoint } from "./fabric.ts";

/** A rank's place in a group, and what it brings, for one collective. */
export type Meeting = {
  readonly end: Endpoint;
  readonly members: number;
  readonly call: CollectiveCall;
};

/** So many bytes of rows, from their first on or farther. */
export const bytesOf = ({ memory, at }: PlacedRows, size: number, from = 0): Uint8Array =>
  new Uint8Array(memory, at + from, size);
export const floats = (bytes: Uint8Array): Float32Array =>
  new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);

/** Rows one after another: where they are, or a copy where they lie apart. */
export function gathered(placed: PlacedRows): Uint8Array {
  const { rows, width, stride } = placed;
  if (stride === width) return bytesOf(placed, rows * width);
  const out = new Uint8Array(rows * width);
  for (let i = 0; i < rows; i++) out.set(bytesOf(placed, width, i * stride), i * width);
  return out;
}
