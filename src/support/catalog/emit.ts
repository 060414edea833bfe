import type { Message } from "../diagnostics.ts";

/** Faults of writing code for other compilers. */
export const emitCatalog = {
  "emit/no-compiler": (target: string, known: readonly string[]): Message => ({
    exit: "usage",
    message: `there is no compiler that takes MLIR for ${target}`,
    hint: `known: ${known.join(", ")}`,
  }),
  "emit/write": (file: string, why: string): Message => ({
    exit: "usage",
    message: `cannot write ${file}: ${why}`,
  }),
} as const;
