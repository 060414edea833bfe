import type { Message } from "../diagnostics.ts";

const model = (message: string, hint?: string): Message => ({
  exit: "model",
  message,
  ...(hint !== undefined && { hint }),
});

/** Faults of checkpoints: safetensors files, shard indexes, configs and the tensors a family needs. */
export const checkpointCatalog = {
  "safetensors/header-too-small": (bytes: number) =>
    model(`file is ${bytes} bytes; a safetensors file needs at least 8 bytes of header length`),
  "safetensors/header-length": (length: bigint, bytes: number) =>
    model(
      `header length ${length} runs past end of file (${bytes} bytes)`,
      "the file was cut short; download it again",
    ),
  "safetensors/header-too-large": (length: bigint, limit: number) =>
    model(
      `header length ${length} exceeds limit ${limit}`,
      "this is not a safetensors file, or it is damaged",
    ),
  "safetensors/header-utf8": (byte: number) => model(`header is not valid UTF-8 at byte ${byte}`),
  "safetensors/header-not-object": () => model("header must be a JSON object and begin with {"),
  "safetensors/header-json": (why: string) => model(`header is not valid JSON: ${why}`),
  "safetensors/duplicate-key": (name: string) => model(`tensor name "${name}" appears twice in the header`),
  "safetensors/offset-hole": (why: string) => model(why),
  "safetensors/offsets": (name: string, why: string) => model(`tensor "${name}": ${why}`),
  "safetensors/trailing-data": (bytes: bigint) =>
    model(`${bytes} bytes after the last tensor are not indexed`),
  "safetensors/truncated": (needed: bigint, bytes: number) =>
    model(
      `the tensors need ${needed} bytes, the file has ${bytes}`,
      "the file was cut short; download it again",
    ),
  "safetensors/shape-overflow": (name: string) => model(`tensor "${name}": element count overflows`),
  "safetensors/size-mismatch": (name: string, needs: bigint, gives: bigint) =>
    model(`tensor "${name}": shape needs ${needs} bytes, offsets give ${gives}`),
  "safetensors/unknown-dtype": (name: string, dtype: string, near: string | undefined) =>
    model(`tensor "${name}": unknown dtype "${dtype}"${near ? ` (did you mean ${near}?)` : ""}`),
  "safetensors/bad-shape": (name: string, why: string) => model(`tensor "${name}": ${why}`),
  "safetensors/subbyte-misaligned": (name: string, dtype: string, shape: string, bits: bigint) =>
    model(`tensor "${name}": ${dtype} ${shape} is ${bits} bits, not a whole number of bytes`),
  "safetensors/bad-metadata": (key: string) => model(`__metadata__.${key} must be a string`),
  "safetensors/bad-entry": (name: string, why: string) => model(`tensor "${name}": ${why}`),
  "safetensors/shard-index": (why: string) => model(why, "the index and the shards must be of one download"),
  "checkpoint/not-found": (path: string, why: string) =>
    model(
      `no checkpoint at ${path}: ${why}`,
      "MODEL is a Hugging Face folder, a .safetensors file beside its config.json",
    ),
  "checkpoint/config": (why: string) => model(why),
  "checkpoint/unsupported-family": (type: string, known: readonly string[]) =>
    model(`model_type "${type}" is not supported`, `supported: ${known.join(", ")}`),
  "checkpoint/missing-tensor": (name: string, shape: string, why: string) =>
    model(`missing tensor "${name}", expected ${shape}: ${why}`),
  "checkpoint/surplus-tensor": (name: string, shape: string) =>
    model(`tensor "${name}" ${shape} is not part of this architecture as config.json describes it`),
  "checkpoint/misshapen-tensor": (name: string, found: string, expected: string, why: string) =>
    model(`tensor "${name}" is ${found}, expected ${expected}: ${why}`),
  "checkpoint/dtype": (name: string, found: string, expected: string) =>
    model(`tensor "${name}" has dtype ${found}, expected ${expected}`),
  "checkpoint/more": (n: number) => model(`${n} more faults of this kind`),
} as const;
