import type { Module } from "../../src/ir/graph.ts";
import type { Profile } from "../../src/machine/profile.ts";
import type { Kernel } from "../../src/machine/schedule/kernel.ts";
import { isLaunch, type DevicePlan } from "../../src/plan/program/device.ts";
import { limitsOf } from "../../src/plan/program/program.ts";
import { weightShelf, type WeightRequest } from "../../src/plan/weights.ts";
import type { KernelCache, MadeKernel, Origin } from "./context.ts";
import type { Precision } from "./precision.ts";
import type { AttentionChooser, TileChooser } from "./search/chooser.ts";
import { kernelCache, kernelShelf, lowerToDevice, type TableShelf } from "./lower.ts";

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
    };
    shops.set(profile, shop);
    return shop;
  };
  const lowered = ranks.map(({ module, profile }) => {
    const setting = { profile, weights, kernels, tables, ...shopOf(profile), context };
    const funcs = module.funcs.map((func) =>
      lowerToDevice(func, setting, limitsOf(func.name, batchTokens, groups)),
    );
    return { machine: profile.name, programs: funcs.map((it) => it.program), caches: funcs[0]?.caches ?? [] };
  });
  const requests = weights.requests();
  return {
    kernels: kernels.kernels(),
    made: kernels.made(),
    weights: requests,
    plans: lowered.map((rank) => ({ ...rank, ...usedBy(rank, requests, kernels.kernels()) })),
  };
}

/** The weights and kernels among all that a rank's launches name. */
function usedBy(
  { programs }: Pick<DevicePlan, "programs">,
  weights: readonly WeightRequest[],
  kernels: ReadonlyMap<string, Kernel>,
): Pick<DevicePlan, "weights" | "kernels"> {
  const launches = programs.flatMap((it) => it.steps.filter(isLaunch));
  const launched = new Set(launches.map((it) => it.kernel));
  /** The weights that are read, and whether in fractals. */
  const read = new Map(
    launches.flatMap(({ kernel, operands }) =>
      operands
        .filter((it) => it.region === "weight")
        .map((it) => [it.name, isFractal(kernels.get(kernel), it.tensor)]),
    ),
  );
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

const isFractal = (kernel: Kernel | undefined, tensor: string): boolean =>
  kernel?.tensors.find((it) => it.name === tensor)?.fractal ?? false;
