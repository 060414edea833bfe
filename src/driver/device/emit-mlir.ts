/** `--emit mlir`: the kernels of a plan as text for Huawei's compiler, one a file, and a list of them. */
import { join } from "node:path";
import { chipOf, compilerOptions } from "../../../targets/ascend/mlir/compiler.ts";
import { storedElement } from "../../../targets/ascend/mlir/elements.ts";
import { writtenOf } from "../../../targets/ascend/mlir/emitters.ts";
import { kernelText, type Mode } from "../../../targets/ascend/mlir/kernel.ts";
import type { MadeKernel } from "../../../targets/device/context.ts";
import type { DeviceCode } from "../../../targets/device/target.ts";
import type { GlobalArray } from "../../../targets/ascend/mlir/boxes.ts";
import type { Module } from "../../ir/graph.ts";
import type { Profile } from "../../machine/profile.ts";
import type { Kernel, Tensor } from "../../machine/schedule/kernel.ts";
import { isLaunch } from "../../plan/program/device.ts";
import { diag } from "../../support/diagnostics.ts";
import { makeFolder, writeText } from "../../tensor/sink.ts";
import type { PlanSizes } from "../cpu-parts.ts";
import { shardModule, type Parallel } from "../ranks/ranks.ts";
import { deviceCode, type Device } from "./parts.ts";

/** Where a kernel is launched: in which phase, how often, and for which value first. */
export type Use = { readonly phase: string; readonly launches: number; readonly of: string };

/** A kernel in `index.json`. */
export type ListedKernel = {
  readonly name: string;
  readonly file: string;
  /** The cores it runs on: the cube's, the vector cores', or groups of both. */
  readonly cores: Mode;
  /** Its arrays and sizes, in the order of its parameters behind the first two. */
  readonly arrays: readonly { readonly name: string; readonly dtype: string; readonly role: string }[];
  readonly sizes: readonly string[];
  readonly tile?: string;
  /** In what the tile is not the plan's. */
  readonly differs?: string;
  readonly uses: readonly Use[];
  readonly options: readonly string[];
};

/** A kernel that is not written, and why. */
export type LeftOut = { readonly name: string; readonly why: string; readonly uses: readonly Use[] };

/** `index.json` beside the kernels. */
export type KernelIndex = {
  readonly target: string;
  readonly chip: string;
  readonly kernels: readonly ListedKernel[];
  readonly left: readonly LeftOut[];
};

export type EmittedKernels = { readonly index: KernelIndex; readonly files: ReadonlyMap<string, string> };

/** Uses of each kernel by name. */
function usesOf({ plans }: DeviceCode): ReadonlyMap<string, readonly Use[]> {
  const uses = new Map<string, Use[]>();
  for (const { name: phase, steps } of plans.flatMap((it) => it.programs))
    for (const { kernel, value } of steps.filter(isLaunch)) {
      const own = uses.get(kernel) ?? [];
      const at = own.findIndex((it) => it.phase === phase);
      const found = own[at];
      if (found) own[at] = { ...found, launches: found.launches + 1 };
      else own.push({ phase, launches: 1, of: value });
      uses.set(kernel, own);
    }
  return uses;
}

type Operand = { readonly tensor: Tensor; readonly array: GlobalArray };

/** The arrays that a kernel is given, or the word why the compiler has none of a kind. */
function operandsOf({ tensors }: Kernel): readonly Operand[] | string {
  const operands: Operand[] = [];
  for (const tensor of tensors.filter((it) => it.role !== "shared")) {
    const { name, dtype } = tensor;
    const element = storedElement(dtype);
    if (!element) return diag("emit/no-element", undefined, name, dtype).message;
    operands.push({ tensor, array: { name, element } });
  }
  return operands;
}

/** A kernel's text and its place in the list, or why it has none. */
function emitted(made: MadeKernel, profile: Profile, chip: string) {
  const { name } = made.kernel;
  const operands = operandsOf(made.kernel);
  if (typeof operands === "string") return operands;
  const written = writtenOf(profile, made);
  if (!written) return diag("emit/no-form", undefined, name).message;
  const { mode, body, copies, told } = written;
  const { sizes } = made.kernel;
  const text = kernelText({ name, mode, arrays: operands.map((it) => it.array), sizes, body }, chip);
  const listed = {
    name,
    file: `${name}.mlir`,
    cores: mode,
    arrays: operands.map(({ tensor: { name, dtype, role } }) => ({ name, dtype, role })),
    sizes,
    ...told,
    options: compilerOptions(copies, chip),
  };
  return { text, listed };
}

/** One kernel for a chip; what cannot be written is a fault here. */
export function chipKernel(made: MadeKernel, profile: Profile) {
  const chip = chipOf(profile.name);
  const found = emitted(made, profile, chip);
  if (typeof found === "string") throw new Error(found);
  return { chip, ...found };
}

/** The kernels that the ranks of one device launch, each as its plan has it. Throws `emit/no-compiler`. */
export function mlirOf(code: DeviceCode, profile: Profile): EmittedKernels {
  const chip = chipOf(profile.name);
  const uses = usesOf(code);
  const kernels: ListedKernel[] = [];
  const left: LeftOut[] = [];
  const files = new Map<string, string>();
  for (const [name, made] of code.made) {
    const own = uses.get(name) ?? [];
    const found = emitted(made, profile, chip);
    if (typeof found === "string") left.push({ name, why: found, uses: own });
    else {
      files.set(found.listed.file, found.text);
      kernels.push({ ...found.listed, uses: own });
    }
  }
  const index = { target: profile.name, chip, kernels, left };
  return { index, files: files.set("index.json", `${JSON.stringify(index, undefined, 2)}\n`) };
}

/** The kernels of a lowered decoder for a device. Throws `emit/no-compiler`, and what making its plan throws. */
export function kernelsOf(
  module: Module,
  parallel: Parallel,
  device: Pick<Device, "profile" | "tiles" | "trials">,
  isQuantized: boolean,
  { context, batchTokens }: PlanSizes,
): EmittedKernels {
  const { profile } = device;
  chipOf(profile.name); // before tiles are searched for in vain
  const ranks = shardModule(module, parallel).map((own) => ({ module: own, profile }));
  return mlirOf(deviceCode(ranks, device, { isQuantized, context, batchTokens, groups: parallel.mesh.dp }), profile); // prettier-ignore
}

/** Write texts into a folder, which is made where there is none. Throws `plan/write`. */
export function writeTexts(dir: string, files: ReadonlyMap<string, string>): void {
  makeFolder(dir);
  for (const [name, text] of files) writeText(join(dir, name), text);
}
