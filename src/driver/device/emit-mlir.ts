/** `--emit mlir`: the matrix kernels of a model as text for Huawei's compiler, one a file, and a list of them. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { matrixKernels, type KernelUses, type LeftOut, type Load } from "../../../targets/ascend/kernels.ts";
import { chipOf, compilerOptions } from "../../../targets/ascend/mlir/compiler.ts";
import type { Cut } from "../../../targets/ascend/tiles.ts";
import { matmulText } from "../../../targets/ascend/mlir/matmul.ts";
import type { Module } from "../../ir/graph.ts";
import type { Profile } from "../../machine/profile.ts";
import { fail } from "../../support/diagnostics.ts";

/** `index.json` beside the kernels. */
export type KernelIndex = {
  readonly target: string;
  readonly chip: string;
  readonly kernels: readonly (KernelUses & { readonly file: string; readonly options: readonly string[] })[];
  /** Products without a kernel, and why. */
  readonly left: readonly LeftOut[];
};

export type EmittedKernels = { readonly index: KernelIndex; readonly files: ReadonlyMap<string, string> };

/** The kernels of a lowered module for a chip, cut as CATLASS does where nothing else is asked for. Throws `emit/no-compiler`. */
export function mlirOf(module: Module, profile: Profile, load: Load, cut?: Cut): EmittedKernels {
  const chip = chipOf(profile.name);
  const { kernels, left } = matrixKernels(module, profile, load, cut);
  const listed = kernels.map((it) => ({
    ...it,
    file: `${it.name}.mlir`,
    options: compilerOptions(it.spec, chip),
  }));
  const index = { target: profile.name, chip, kernels: listed, left };
  const files = new Map(listed.map(({ file, spec }) => [file, matmulText(spec, chip)]));
  return { index, files: files.set("index.json", `${JSON.stringify(index, undefined, 2)}\n`) };
}

/** Write texts into a folder, which is made where there is none. Throws `emit/write`. */
export function writeTexts(dir: string, files: ReadonlyMap<string, string>): void {
  try {
    mkdirSync(dir, { recursive: true });
    for (const [name, text] of files) writeFileSync(join(dir, name), text);
  } catch (error) {
    fail("emit/write", undefined, dir, error instanceof Error ? error.message : String(error));
  }
}
