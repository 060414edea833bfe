import type { Module } from "../../src/ir/graph.ts";
import type { Profile } from "../../src/machine/profile.ts";
import type { Kernel } from "../../src/machine/schedule/kernel.ts";
import type { DevicePlan } from "../../src/plan/program/device.ts";
import { weightShelf, type WeightRequest } from "../../src/plan/weights.ts";
import type { Precision } from "./precision.ts";
import type { TileChooser } from "./search/chooser.ts";
import { kernelCache, kernelShelf, lowerToDevice } from "./lower.ts";

/** What a module becomes on a device: launches, the schedules they are of, and the weights they read. */
export type DeviceCode = {
  readonly plan: DevicePlan;
  readonly kernels: ReadonlyMap<string, Kernel>;
  readonly weights: readonly WeightRequest[];
};

/** How a module is to be lowered: what numbers it is made of, how products are cut, how many positions there can be, and how many tokens a call of prefill takes. */
export type DeviceLowering = {
  readonly precision: Precision;
  readonly tile: TileChooser;
  readonly context: number;
  readonly batchTokens: number;
};

/** Lower every phase of a module for a device. */
export function deviceTarget(
  module: Module,
  profile: Profile,
  { batchTokens, ...how }: DeviceLowering,
): DeviceCode {
  const weights = weightShelf();
  const kernels = kernelShelf();
  const shared = { profile, weights, kernels, kernel: kernelCache(profile), tables: new Map(), ...how };
  const lowered = module.funcs.map((func) =>
    lowerToDevice(func, shared, func.name === "decode" ? 1 : batchTokens),
  );
  const requests = weights.requests();
  return {
    kernels: kernels.kernels(),
    weights: requests,
    plan: {
      machine: profile.name,
      programs: lowered.map((it) => it.program),
      caches: lowered[0]?.caches ?? [],
      weights: requests.map(({ name, dtype, recipe }) => ({
        name,
        dtype,
        elements: recipe.shape.reduce((n, d) => n * d, 1),
      })),
      kernels: [...kernels.kernels().keys()],
    },
  };
}
