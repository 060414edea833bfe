import type { Message } from "../diagnostics.ts";

/** Faults of writing code for other compilers. */
export const emitCatalog = {
  "emit/no-compiler": (target: string, known: readonly string[]): Message => ({
    exit: "usage",
    message: `there is no compiler that takes MLIR for ${target}`,
    hint: `known: ${known.join(", ")}`,
  }),
  "emit/no-element": (tensor: string, dtype: string): Message => ({
    exit: "usage",
    message: `its operand ${tensor} is of ${dtype}, which kernels at the tensor level have no form for`,
  }),
  "emit/no-form": (kernel: string): Message => ({
    exit: "usage",
    message: `there is no form at the tensor level for kernels such as ${kernel}`,
  }),
  "emit/left-out": (kernels: readonly string[], file: string): Message => ({
    exit: "usage",
    message: `${kernels.length} ${kernels.length === 1 ? "kernel is" : "kernels are"} not written: ${kernels.join(", ")}`,
    hint: `${file} says why`,
  }),
} as const;
