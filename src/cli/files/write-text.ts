import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { fail } from "../../support/diagnostics.ts";

/** Do something to a file named on the command line. Throws `plan/write` where the file system does not let it. */
function using<T>(file: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    return fail("plan/write", { kind: "file", file }, file, error instanceof Error ? error.message : String(error)); // prettier-ignore
  }
}

/** Write a text to a file, by default for everyone to read. Throws `plan/write`. */
export const writeText = (file: string, text: string, mode = 0o666): void =>
  using(file, () => writeFileSync(file, text, { mode }));

/** Write a text to a file piece by piece. Throws `plan/write`. */
export function writePieces(file: string, write: (put: (text: string) => void) => void): void {
  const fd = using(file, () => openSync(file, "w"));
  try {
    write((text) => void using(file, () => writeSync(fd, text)));
  } finally {
    closeSync(fd);
  }
}
