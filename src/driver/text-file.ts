/** Texts that a command line names: read to their end, which pipes and devices do not tell beforehand, and not beyond a bound. */
import { closeSync, openSync, readSync } from "node:fs";
import { fail } from "../support/diagnostics.ts";

const chunkBytes = 1 << 20;
/** A corpus is some megabytes; a string of the language ends at half a gigabyte. */
const textBytes = 256 << 20;
/** A file that describes something: a profile has some tens of kilobytes, a map of experts a megabyte. */
const descriptionBytes = 16 << 20;

/** A text in UTF-8; `-` is standard input. A last character that was cut off is left out. Throws `usage/file`. */
export const readText = (file: string): string => readWithin(file, textBytes);

/** The text of a profile, a cluster, a recipe or a map. Throws `usage/file`. */
export const readDescription = (file: string): string => readWithin(file, descriptionBytes);

function readWithin(file: string, most: number): string {
  const cannot = (why: string): never => fail("usage/file", { kind: "file", file }, file, why);
  let bytes: Uint8Array | undefined;
  try {
    bytes = bytesOf(file, most);
  } catch (error) {
    return cannot(error instanceof Error ? error.message : String(error));
  }
  if (!bytes) return cannot(`it has more than ${most / (1 << 20)} MiB`);
  return textOf(bytes) ?? cannot("it is not UTF-8");
}

/** All bytes of a file; undefined where there are more than `most`. */
function bytesOf(file: string, most: number): Uint8Array | undefined {
  const fd = file === "-" ? 0 : openSync(file, "r");
  try {
    const chunks: Uint8Array[] = [];
    const room = new Uint8Array(chunkBytes);
    for (let total = 0; total <= most;) {
      const length = readSync(fd, room);
      if (length === 0) return Buffer.concat(chunks);
      chunks.push(room.slice(0, length));
      total += length;
    }
    return undefined;
  } finally {
    if (fd !== 0) closeSync(fd);
  }
}

/** Bytes as text, without the mark that editors of Windows begin files with; undefined where they are none. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
  } catch {
    return undefined;
  }
}
