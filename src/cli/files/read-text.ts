import { readFileSync } from "node:fs";
import { fail } from "../../support/diagnostics.ts";

/** A text file named on the command line; `-` is standard input. Throws `usage/file`. */
export function readText(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return fail("usage/file", { kind: "file", file }, file, why);
  }
}
