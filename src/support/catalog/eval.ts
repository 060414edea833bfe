import type { Message } from "../diagnostics.ts";

/** Checks of a plan against its model that failed. */
export const evalCatalog = {
  "eval/over": (name: string, found: string, what: string, limit: number): Message => ({
    exit: "check",
    message: `${name} is ${found}, expected ${what} ${limit}`,
    hint: "quantize less, calibrate on text like this, or raise the limit",
  }),
  "eval/other-vocabulary": (found: number, expected: number): Message => ({
    exit: "usage",
    message: `the plan has ${found} tokens, the model it is compared with ${expected}`,
    hint: "compare a plan with the model it was made of",
  }),
} as const;
