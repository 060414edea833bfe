import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseConfig, type ModelConfig } from "../frontend/deepseek/config.ts";
import { importModel, type ImportedModel } from "../frontend/deepseek/import.ts";
import { openCheckpoint, type Checkpoint } from "../frontend/safetensors/checkpoint.ts";
import type { OnnxModel } from "../frontend/onnx/model.ts";
import { fail } from "../support/diagnostics.ts";

export type OpenedModel = {
  readonly config: ModelConfig;
  readonly checkpoint: Checkpoint;
  readonly imported: ImportedModel;
};

/** Open a checkpoint and import it. Throws whatever is wrong with its files, its config or its tensors. */
export function openModel(path: string): OpenedModel {
  if (!existsSync(path))
    return fail(
      "checkpoint/not-found",
      { kind: "file", file: path },
      path,
      "there is no such file or folder",
    );
  const dir = statSync(path).isDirectory() ? path : dirname(path);
  const configFile = join(dir, "config.json");
  if (!existsSync(configFile))
    return fail("checkpoint/not-found", { kind: "file", file: path }, path, "there is no config.json");
  const config = parseConfig(readFileSync(configFile, "utf8"), configFile);
  const checkpoint = openCheckpoint(path);
  return { config, checkpoint, imported: importModel(config, checkpoint.tensors) };
}

/** Whether a path names an ONNX model. */
export const isOnnx = (path: string): boolean => path.endsWith(".onnx");

/** Open an ONNX model. Throws whatever is wrong with its file. */
export async function openOnnx(file: string): Promise<OnnxModel> {
  if (!existsSync(file))
    return fail("checkpoint/not-found", { kind: "file", file }, file, "there is no such file");
  const { readOnnx } = await import("../frontend/onnx/reading/read.ts"); // its tables are for those who need them
  return readOnnx(file);
}

/** Bytes of the .safetensors files of a folder or of one file; 0 where there is nothing. */
export function bytesOnDisk(path: string): number {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) return stat?.size ?? 0;
  const files = readdirSync(path).filter((name) => name.endsWith(".safetensors"));
  return files.reduce((n, name) => n + (statSync(join(path, name), { throwIfNoEntry: false })?.size ?? 0), 0);
}
