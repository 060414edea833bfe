import type { Module } from "../../src/ir/graph.ts";
import type { Profile } from "../../src/machine/profile.ts";
import type { Kernel } from "../../src/machine/schedule/kernel.ts";
import type { DevicePlan } from "../../src/plan/program/device.ts";
import { storedForm } from "../../src/plan/stored-weight.ts";
import { weightShelf, type WeightRequest } from "../../src/plan/weights.ts";
import type { DeviceContext } from "./context.ts";
import { tileChooser } from "./search/chooser.ts";
import { kernelShelf, lowerToDevice } from "./lower.ts";

/** What a module becomes on a device: launches, the schedules they are of, and the weights they read. */
export type DeviceCode = {
  readonly plan: DevicePlan;
  readonly kernels: ReadonlyMap<string, Kernel>;
  readonly weights: readonly WeightRequest[];
};

/** Lower every phase of a module for a device. `batchTokens` is how many tokens one prefill call takes at most, `context` how many positions there can be. */
export function deviceTarget(
  module: Module,
  profile: Profile,
  activation: DeviceContext["activation"],
  { context, batchTokens }: { readonly context: number; readonly batchTokens: number },
): DeviceCode {
  const weights = weightShelf();
  const kernels = kernelShelf();
  const tile = tileChooser(profile);
  const lowered = module.funcs.map((func) =>
    lowerToDevice(
      func,
      { profile, activation, weights, kernels, context, tile },
      func.name === "decode" ? 1 : batchTokens,
    ),
  );
  const requests = weights.requests();
  return {
    kernels: kernels.kernels(),
    weights: requests,
    plan: {
      machine: profile.name,
      programs: lowered.map((it) => it.program),
      caches: lowered[0]?.caches ?? [],
      weights: requests.map((it) => {
        const { dtype, shape } = storedForm(it);
        return { name: it.name, dtype, elements: shape.reduce((n, d) => n * d, 1) };
      }),
      kernels: [...kernels.kernels().keys()],
    },
  };
}
