/** `moec compile --emit`: code for a device's own compiler. */
import { lowerModel, tokensOf, type CompileOptions } from "../../driver/compile.ts";
import { lowerOnnx } from "../../driver/onnx/compile-onnx.ts";
import { mlirOf, writeTexts } from "../../driver/device/emit-mlir.ts";
import { alone, shardModule } from "../../driver/ranks/ranks.ts";
import { isOnnx, openOnnx } from "../../driver/model.ts";
import type { Profile } from "../../machine/profile.ts";
import { fail } from "../../support/diagnostics.ts";
import { number } from "../../support/text.ts";
import type { Context } from "../command.ts";

/** For which device, and where to. */
type Goal = { readonly profile: Profile; readonly dir: string | undefined };

/** Write the kernels of a model and say what they are. */
export async function emitCode(
  path: string,
  settings: CompileOptions,
  { profile, dir }: Goal,
  cx: Context,
): Promise<number> {
  if (dir === undefined)
    return fail("usage/missing", { kind: "flag", flag: "--emit-dir" }, "the folder of the kernels");
  const { module } = isOnnx(path)
    ? await lowerOnnx(await openOnnx(path), settings)
    : lowerModel(path, settings);
  const ranks = { funcs: shardModule(module, settings.parallel ?? alone).flatMap((it) => it.funcs) };
  const { index, files } = mlirOf(ranks, profile, { tokens: tokensOf(settings), past: 0 });
  writeTexts(dir, files);
  const places = index.left.length;
  cx.log.info(
    `${number(index.kernels.length)} kernels for ${index.chip} in ${dir}${places ? `; ${number(places)} products left out, index.json says why` : ""}`,
  );
  if (cx.json) cx.stdout.write(`${JSON.stringify(index, undefined, 2)}\n`);
  return 0;
}
