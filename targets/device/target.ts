import type { Module } from "../../src/ir/graph.ts";
import { globalSpace, type Profile } from "../../src/machine/profile.ts";
import { fractalShape, spaceOf } from "../../src/machine/rates.ts";
import type { Kernel } from "../../src/machine/schedule/kernel.ts";
import {
  isLaunch,
  mostSize,
  type DeviceBuffer,
  type DeviceLaunch,
  type DeviceOperand,
  type DevicePlan,
  type LooseProgram,
} from "../../src/plan/program/device.ts";
import { placed } from "../../src/plan/program/live.ts";
import { limitsOf } from "../../src/plan/program/program.ts";
import { byteLength, dtypes } from "../../src/tensor/dtype.ts";
import { weightShelf, type WeightRequest } from "../../src/plan/weights.ts";
import type { DeviceContext, KernelCache, MadeKernel, Origin } from "./context.ts";
import type { Precision } from "./precision.ts";
import type { AttentionChooser, TileChooser } from "./search/chooser.ts";
import { kernelCache, kernelCycles, kernelShelf, lowerToDevice, type TableShelf } from "./lower.ts";

/** What the modules of all ranks become on their devices: launches, the schedules they are of, and the weights they read. */
export type DeviceCode = {
  readonly plans: readonly DevicePlan[];
  readonly kernels: ReadonlyMap<string, Kernel>;
  /** The same kernels, with what each was made of. */
  readonly made: ReadonlyMap<string, MadeKernel>;
  readonly weights: readonly WeightRequest[];
};

/** What one rank runs, and on what. */
export type RankOnDevice = { readonly module: Module; readonly profile: Profile };

/** How modules are to be lowered: what numbers they are made of, how products are cut, how many positions there can be, how many tokens a call of prefill takes, and how many groups of ranks have sequences of their own. */
export type DeviceLowering = {
  readonly precision: (profile: Profile) => Precision;
  readonly tiles: (profile: Profile) => TileChooser;
  readonly attentionTiles: (profile: Profile) => AttentionChooser;
  readonly context: number;
  readonly batchTokens: number;
  readonly groups: number;
};

/** What is made for one profile, for all ranks that are of it. */
type Shop = {
  readonly precision: Precision;
  readonly tile: TileChooser;
  readonly attentionTile: AttentionChooser;
  readonly kernel: KernelCache;
  readonly cycles: DeviceContext["cycles"];
};

/** Lower every phase of every rank's module for its device; ranks share kernels and weights. */
export function deviceTarget(
  ranks: readonly RankOnDevice[],
  { batchTokens, groups, precision, tiles, attentionTiles, context }: DeviceLowering,
): DeviceCode {
  const weights = weightShelf();
  const origins = new Map<Kernel, Origin>();
  const kernels = kernelShelf(origins);
  const tables: TableShelf = new Map();
  const shops = new Map<Profile, Shop>();
  const shopOf = (profile: Profile): Shop => {
    const shop = shops.get(profile) ?? {
      precision: precision(profile),
      tile: tiles(profile),
      attentionTile: attentionTiles(profile),
      kernel: kernelCache(profile, origins),
      cycles: kernelCycles(profile),
    };
    shops.set(profile, shop);
    return shop;
  };
  const lowered = ranks.map(({ module, profile }) => {
    const setting = { profile, weights, kernels, tables, ...shopOf(profile), context };
    const funcs = module.funcs.map((func) =>
      lowerToDevice(func, setting, limitsOf(func.name, batchTokens, groups)),
    );
    return { profile, loose: funcs.map((it) => it.program), caches: funcs[0]?.caches ?? [] };
  });
  const requests = weights.requests();
  const shelf = kernels.kernels();
  return {
    kernels: shelf,
    made: kernels.made(),
    weights: requests,
    plans: lowered.map(({ profile, loose, caches }) => ({
      machine: profile.name,
      programs: loose.map((it) => placed(it, largest(it, profile, shelf, context))),
      caches,
      ...usedBy(loose, requests, shelf),
    })),
  };
}

/** The weights and kernels among all that a rank's launches name. */
function usedBy(
  programs: readonly LooseProgram[],
  weights: readonly WeightRequest[],
  kernels: ReadonlyMap<string, Kernel>,
): Pick<DevicePlan, "weights" | "kernels"> {
  const launches = programs.flatMap((it) => it.steps.filter(isLaunch));
  const launched = new Set(launches.map((it) => it.kernel));
  const read = inFractals("weight", launches, kernels);
  return {
    kernels: [...kernels.keys()].filter((name) => launched.has(name)),
    weights: weights
      .filter(({ name }) => read.has(name))
      .map(({ name, dtype, recipe }) => ({
        name,
        dtype,
        elements: recipe.shape.reduce((n, d) => n * d, 1),
        ...(read.get(name) === true && { fractal: true }),
      })),
  };
}

/** The regions of a kind that launches name, and whether they lie in fractals. */
function inFractals(
  kind: DeviceOperand["region"],
  launches: readonly DeviceLaunch[],
  kernels: ReadonlyMap<string, Kernel>,
): ReadonlyMap<string, boolean> {
  const found = new Map<string, boolean>();
  for (const { kernel, operands } of launches)
    for (const { region, name, tensor } of operands)
      if (region === kind)
        found.set(name, found.get(name) === true || isFractal(kernels.get(kernel), tensor));
  return found;
}

/** The most bytes that buffers of a program take in any call; rows in fractals are as many as fill whole ones. */
function largest(
  program: LooseProgram,
  profile: Profile,
  kernels: ReadonlyMap<string, Kernel>,
  context: number,
): (buffer: DeviceBuffer) => number {
  const most = mostSize(program, context);
  const fractal = inFractals("buffer", program.steps.filter(isLaunch), kernels);
  return ({ name, dtype, rows, cols }) => {
    const [high = 1] = fractal.get(name) === true ? (fractalShape(spaceOf(profile, globalSpace), dtypes[dtype].bits) ?? []) : []; // prettier-ignore
    return byteLength(dtype, Math.ceil(most(rows) / high) * high * cols);
  };
}

const isFractal = (kernel: Kernel | undefined, tensor: string): boolean =>
  kernel?.tensors.find((it) => it.name === tensor)?.fractal ?? false;
