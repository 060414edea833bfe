import type { Message } from "../diagnostics.ts";

/** Faults of quantizing. */
export const quantCatalog = {
  "quant/not-finite": (row: number, column: number): Message => ({
    exit: "model",
    message: `a weight is not a finite number at row ${row}, column ${column}, so it has no scale`,
    hint: "check the checkpoint, or keep this tensor as it is with a recipe",
  }),
  "quant/not-smaller": (plan: string, model: string, terms: readonly string[]): Message => ({
    exit: "check",
    message: `quantized, the weights take ${plan}, no less than the model's ${model}; most take: ${terms.join("; ")}`,
    hint: "quantize to fewer bits, or let it grow with --allow-larger",
  }),
  "quant/recipe": (why: string): Message => ({
    exit: "usage",
    message: `the quantization recipe is not understood: ${why}`,
    hint: 'for example {"weights": "int4-g32", "tensors": {"*.kv_b_proj.weight": "int8"}}',
  }),
  "quant/no-text": (): Message => ({
    exit: "usage",
    message: "the calibration text is empty",
    hint: "give a text of at least some hundred tokens, like those the model will meet",
  }),
  "quant/scheme": (found: string, near: string | undefined, names: readonly string[]): Message => ({
    exit: "usage",
    message: `there is no quantization scheme ${found}`,
    hint: near === undefined ? `one of none, ${names.join(", ")}, or a recipe file` : `did you mean ${near}?`,
  }),
} as const;
