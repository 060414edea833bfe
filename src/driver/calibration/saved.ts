import { existsSync } from "node:fs";
import { join } from "node:path";
import { readHeader } from "../../frontend/safetensors/header.ts";
import { noMoments, type Moments } from "../../quant/moments.ts";
import { writeSafetensors } from "../../tensor/safetensors-file.ts";
import { makeFolder } from "../../tensor/sink.ts";
import { readRegion } from "../../tensor/source.ts";
import type { Sensitivity } from "./sensitivity.ts";

/** A folder that keeps what was learned from texts, a file for each model and text. */
export type SavedCalibration = {
  /** What was kept under this fingerprint, or undefined. */
  readonly load: () => Sensitivity | undefined;
  readonly save: (sensitivity: Sensitivity) => void;
};

/** The numbers of rows and weights before the sums. */
function packed(tokens: number, weight: number, sum: Float64Array): Uint8Array {
  const values = new Float64Array(sum.length + 2);
  values.set([tokens, weight]);
  values.set(sum, 2);
  return new Uint8Array(values.buffer);
}

/**
 * Open the folder for a model and a text of this fingerprint; it is made, so that what cannot be kept is known before it is learned. Files of
 * others stay as they are. Throws `plan/write`.
 */
export function savedCalibration(dir: string, fingerprint: string): SavedCalibration {
  makeFolder(dir);
  const file = join(dir, `${fingerprint}.safetensors`);
  return {
    load: () => {
      if (!existsSync(file)) return undefined;
      const found = new Map<string, Moments>();
      for (const [name, { shape, region }] of readHeader(file).tensors) {
        const bytes = Uint8Array.from(readRegion(region));
        const values = new Float64Array(bytes.buffer);
        const [tokens = 0, weight = 0] = values;
        const width = Math.round(Math.sqrt((shape[0] ?? 0) - 2));
        found.set(name, { ...noMoments(width), sum: values.slice(2), tokens, weight });
      }
      return found;
    },
    save: (sensitivity) =>
      writeSafetensors(
        file,
        [...sensitivity].map(([name, { sum, tokens, weight }]) => ({
          name,
          dtype: "f64" as const,
          shape: [sum.length + 2],
          data: packed(tokens, weight, sum),
        })),
      ),
  };
}
