import type { Message } from "../diagnostics.ts";

/** Faults of how a command was called. */
export const usageCatalog = {
  "usage/file": (file: string, why: string): Message => ({
    exit: "usage",
    message: `cannot read ${file}: ${why}`,
  }),
  "usage/tile-cache": (file: string, why: string): Message => ({
    exit: "usage",
    message: `the tile cache ${file} cannot be used: ${why}`,
    hint: "what is found out is not kept; give --tile-cache a folder that can be written to, or none",
  }),
  "usage/value": (flag: string, found: string, expected: string): Message => ({
    exit: "usage",
    message: `${flag} is ${found}, expected ${expected}`,
  }),
  "usage/unknown": (
    what: string,
    found: string,
    near: string | undefined,
    known: readonly string[],
  ): Message => ({
    exit: "usage",
    message: `there is no ${what} ${found}`,
    hint: near === undefined ? `known: ${known.join(", ")}` : `did you mean ${near}?`,
  }),
  "usage/missing": (what: string): Message => ({ exit: "usage", message: `${what} is missing` }),
  "usage/command-line": (message: string, hint: string | undefined): Message => ({
    exit: "usage",
    message,
    ...(hint !== undefined && { hint }),
  }),
} as const;
