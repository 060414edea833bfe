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
  "quant/budget": (bits: number, least: number): Message => ({
    exit: "usage",
    message: `${bits} bits a weight are too few: what can be chosen takes at least ${least}`,
    hint: "give more --bits; scales count too",
  }),
  "quant/needs-text": (what: string): Message => ({
    exit: "usage",
    message: `${what} needs to know what the model computes`,
    hint: "give a text with --calibrate",
  }),
  "quant/not-calibrated": (): Message => ({
    exit: "usage",
    message: "an ONNX model cannot be calibrated on a text",
    hint: "leave --calibrate out, or compile the checkpoint that the model was exported from",
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
