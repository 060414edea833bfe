import { writeSafetensors } from "../../tensor/safetensors-file.ts";
import type { LogitsSink } from "../session.ts";

/** Keeps the logits of every position it sees. */
export type LogitsRecorder = { readonly add: LogitsSink; readonly rows: readonly Uint8Array[] };

export function logitsRecorder(): LogitsRecorder {
  const rows: Uint8Array[] = [];
  return { rows, add: (logits) => void rows.push(new Uint8Array(logits.slice().buffer)) };
}

/** Write what was recorded, each under its name, [positions, vocab] F32. Throws `plan/write`. */
export function writeLogits(
  file: string,
  vocab: number,
  recorded: readonly (readonly [name: string, LogitsRecorder])[],
): void {
  const tensors = recorded.map(([name, { rows }]) => {
    const data = Buffer.concat(rows);
    return { name, dtype: "f32" as const, shape: [rows.length, vocab], data };
  });
  writeSafetensors(file, tensors);
}
