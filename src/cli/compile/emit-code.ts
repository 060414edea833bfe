/** `moec compile --emit`: code for a device's own compiler. */
import { lowerModel, planSizes, type CompileOptions } from "../../driver/compile.ts";
import { emitOnnxDecoder } from "../../driver/onnx/compile-onnx.ts";
import { kernelsOf, writeTexts } from "../../driver/device/emit-mlir.ts";
import type { Device } from "../../driver/device/parts.ts";
import { alone } from "../../driver/ranks/ranks.ts";
import { isOnnx } from "../../driver/model.ts";
import { diag, fail, warningText } from "../../support/diagnostics.ts";
import { counted } from "../../support/text.ts";
import type { Context } from "../command.ts";

/** For which device, and where to. */
type Goal = { readonly device: Device; readonly dir: string | undefined };

/** The decoder that a path holds, and how many positions it knows. */
async function decoderOf(path: string, settings: CompileOptions) {
  if (!isOnnx(path)) {
    const { module, model } = lowerModel(path, settings);
    return { module, positions: model.config.maxPositions };
  }
  const { module, parts } = await emitOnnxDecoder(path, settings);
  return { module, positions: parts.head.model.maxPositions };
}

/** Write the kernels of a model's plan and say what they are. */
export async function emitCode(
  path: string,
  settings: CompileOptions,
  { device, dir }: Goal,
  cx: Context,
): Promise<number> {
  if (dir === undefined)
    return fail("usage/missing", { kind: "flag", flag: "--emit-dir" }, "the folder of the kernels");
  const { module, positions } = await decoderOf(path, settings);
  const { parallel = alone, quantization } = settings;
  const sizes = planSizes(settings, positions);
  const { index, files } = kernelsOf(module, parallel, device, quantization !== undefined, sizes);
  writeTexts(dir, files);
  cx.log.info(`${counted(index.kernels.length, "kernel")} for ${index.chip} in ${dir}`);
  if (index.left.length > 0) {
    const names = index.left.map((it) => it.name);
    cx.log.warn(warningText(diag("emit/left-out", undefined, names, "index.json")));
  }
  if (cx.json) cx.stdout.write(`${JSON.stringify(index, undefined, 2)}\n`);
  return 0;
}
