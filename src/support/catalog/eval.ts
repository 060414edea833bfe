import type { Message } from "../diagnostics.ts";

/** Checks of a plan against its model that failed. */
export const evalCatalog = {
  "eval/over": (name: string, found: string, what: string, limit: number): Message => ({
    exit: "check",
    message: `${name} is ${found}, expected ${what} ${limit}`,
    hint: "quantize less, calibrate on text like this, or raise the limit",
  }),
  "verify/schedule": (code: string, fault: string): Message => ({
    exit: "check",
    message: `${fault} (${code})`,
    hint: "compile the model again; docs/schedules.md says what is checked",
  }),
  "verify/diverges": (layer: string, operator: string, error: string, tolerance: number): Message => ({
    exit: "check",
    message: `${layer} diverges: ${operator} is off by ${error} of its size, expected at most ${tolerance}`,
    hint: "everything before it agrees; look at the weights of this operator, or raise --tolerance",
  }),
  "verify/nothing-alike": (plan: string, model: string): Message => ({
    exit: "usage",
    message: `${plan} and ${model} compute nothing that is called the same`,
    hint: "compare a plan with the model it was made of",
  }),
  "eval/other-vocabulary": (found: number, expected: number): Message => ({
    exit: "usage",
    message: `the plan has ${found} tokens, the model it is compared with ${expected}`,
    hint: "compare a plan with the model it was made of",
  }),
} as const;
