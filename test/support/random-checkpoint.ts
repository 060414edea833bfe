/** Checkpoints of any shape with random weights: the importer itself says which tensors a config asks for. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseConfig } from "../../src/frontend/deepseek/config.ts";
import { importModel } from "../../src/frontend/deepseek/import.ts";
import { CompileError } from "../../src/support/diagnostics.ts";
import { createRandom, type Random } from "../../src/support/random.ts";
import { encodeBf16 } from "../../src/tensor/codec.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import { writeSafetensors } from "../../src/tensor/safetensors-file.ts";

export type RawConfig = Readonly<Record<string, unknown>>;
type Shapes = ReadonlyMap<string, readonly number[]>;

/** The tensors that a config asks for, read off the diagnostics of a checkpoint that has none. */
export function tensorsOf(config: RawConfig): Shapes {
  const parsed = parseConfig(JSON.stringify(config), "config.json");
  const shapes = new Map<string, readonly number[]>();
  const held = new Map<string, { readonly dtype: DType; readonly shape: readonly number[] }>();
  for (;;) {
    try {
      importModel(parsed, held);
      return shapes;
    } catch (error) {
      if (!(error instanceof CompileError)) throw error;
      for (const { message } of error.diagnostics) {
        const [, name, dims] = /^missing tensor "(.+)", expected \[(.*)\]/.exec(message) ?? [];
        if (name === undefined || dims === undefined) continue;
        const shape = dims.split(", ").map(Number);
        shapes.set(name, shape);
        held.set(name, { dtype: "bf16", shape });
      }
    }
  }
}

/** About normal, variance one: a sum of uniform numbers. */
const bell = (random: Random): number => (random.float() + random.float() + random.float() - 1.5) * 2;

function randomValues(name: string, shape: readonly number[], random: Random): Float32Array {
  const length = shape.reduce((n, d) => n * d, 1);
  const isGain = shape.length === 1 && name.includes("norm");
  const scale = shape.length === 1 ? 0.2 : 1.5 / Math.sqrt(shape.at(-1) ?? 1);
  return Float32Array.from({ length }, () => bell(random) * scale + (isGain ? 1 : 0));
}

/** Write a checkpoint of this config with random bfloat16 weights into a new folder. */
export function writeRandomCheckpoint(dir: string, config: RawConfig, seed: number): void {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "config.json"), JSON.stringify(config));
  const random = createRandom(seed);
  writeSafetensors(
    join(dir, "model.safetensors"),
    [...tensorsOf(config)].map(([name, shape]) => ({
      name,
      dtype: "bf16" as const,
      shape,
      data: new Uint8Array(encodeBf16(randomValues(name, shape, random)).buffer),
    })),
  );
}
