import { closeSync, openSync, readSync } from "node:fs";
import { fail } from "../support/diagnostics.ts";

/** Some bytes of a file. */
export type FileRegion = { readonly file: string; readonly offset: number; readonly bytes: number };

/** Fill `target` from a file at `offset`. Throws if the file ends before. */
export function readInto(fd: number, target: Uint8Array, offset: number): void {
  for (let done = 0; done < target.byteLength;) {
    const n = readSync(fd, target, done, target.byteLength - done, offset + done);
    if (n === 0)
      throw new Error(`the file ends at byte ${offset + done}, ${target.byteLength - done} bytes too early`);
    done += n;
  }
}

/** Read a region whole. Throws `usage/file` where it cannot be read. */
export function readRegion(region: FileRegion): Uint8Array {
  const out = new Uint8Array(region.bytes);
  try {
    const fd = openSync(region.file, "r");
    try {
      readInto(fd, out, region.offset);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    fail("usage/file", { kind: "file", file: region.file, byte: region.offset }, region.file, String(error));
  }
  return out;
}
