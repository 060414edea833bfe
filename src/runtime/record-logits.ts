import { writeSafetensors } from "../tensor/safetensors-file.ts";
import { fail } from "../support/diagnostics.ts";
import type { LogitsSink } from "./session.ts";

/** Keeps the logits of every position it sees. */
export type LogitsRecorder = {
  readonly add: LogitsSink;
  /** Write them as `logits` [positions, vocab] F32. Throws `plan/write` where the file cannot be written. */
  readonly save: (file: string) => void;
};

export function logitsRecorder(vocab: number): LogitsRecorder {
  const rows: Uint8Array[] = [];
  return {
    add: (logits) => void rows.push(new Uint8Array(logits.slice().buffer)),
    save: (file) => {
      const data = Buffer.concat(rows);
      try {
        writeSafetensors(file, [{ name: "logits", dtype: "f32", shape: [rows.length, vocab], data }]);
      } catch (error) {
        fail(
          "plan/write",
          { kind: "file", file },
          file,
          error instanceof Error ? error.message : String(error),
        );
      }
    },
  };
}
