import { writeFileSync } from "node:fs";
import { fail } from "../../support/diagnostics.ts";

/** Write a text to a file named on the command line, by default for everyone to read. Throws `plan/write`. */
export function writeText(file: string, text: string, mode = 0o666): void {
  try {
    writeFileSync(file, text, { mode });
  } catch (error) {
    fail("plan/write", { kind: "file", file }, file, error instanceof Error ? error.message : String(error));
  }
}
