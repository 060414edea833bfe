import type { Message } from "../diagnostics.ts";

/** Faults of how a command was called. */
export const usageCatalog = {
  "usage/file": (file: string, why: string): Message => ({
    exit: "usage",
    message: `cannot read ${file}: ${why}`,
  }),
  "usage/value": (flag: string, found: string, expected: string): Message => ({
    exit: "usage",
    message: `${flag} is ${found}, expected ${expected}`,
  }),
  "usage/unknown": (what: string, found: string, known: readonly string[]): Message => ({
    exit: "usage",
    message: `there is no ${what} ${found}`,
    hint: `known: ${known.join(", ")}`,
  }),
  "usage/missing": (what: string): Message => ({ exit: "usage", message: `${what} is missing` }),
  "usage/command-line": (message: string, hint: string | undefined): Message => ({
    exit: "usage",
    message,
    ...(hint !== undefined && { hint }),
  }),
} as const;
