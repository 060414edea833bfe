import type { CollectiveCall, PlacedRows } from "../engine/execute.ts";
import type { Endpoint } from "./fabric.ts";

/** A rank's memory and its place in a group, for one collective. */
export type Meeting = {
  readonly memory: WebAssembly.Memory;
  readonly end: Endpoint;
  readonly members: number;
  readonly call: CollectiveCall;
};

/** Bytes of a rank's memory. */
export const bytesAt = ({ memory }: Meeting, at: number, size: number): Uint8Array =>
  new Uint8Array(memory.buffer, at, size);
export const floats = (bytes: Uint8Array): Float32Array =>
  new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);

/** Rows one after another: where they are, or a copy where they lie apart. */
export function gathered(meeting: Meeting, { at, rows, width, stride }: PlacedRows): Uint8Array {
  if (stride === width) return bytesAt(meeting, at, rows * width);
  const out = new Uint8Array(rows * width);
  for (let i = 0; i < rows; i++) out.set(bytesAt(meeting, at + i * stride, width), i * width);
  return out;
}
