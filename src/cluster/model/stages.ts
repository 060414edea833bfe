/** Pools of different devices in one pipeline: each has a run of the layers, in the order of the cluster. */
import { rankCount } from "../mesh.ts";
import { layerCount, layersOf } from "./decoder.ts";
import { checkedTokens, forecastOf, gainedTokens, type Forecast } from "./forecast.ts";
import { duration } from "./kernel.ts";
import type { Layout } from "./layout.ts";
import type { Phase } from "./layer/work.ts";
import { exchangeTime, type Network } from "./links.ts";
import { totalBytes } from "./memory.ts";
import { floatBytes } from "./precision.ts";
import { batches, usableBytes } from "./search.ts";
import { bothPhases, within, type Limits, type Pool, type Service, type Station } from "./service.ts";

/** Sizes of runs are tried in so many steps. */
const steps = 16;

/** Ways to cut `layers` into `count` runs. */
function cuts(layers: number, count: number): readonly (readonly number[])[] {
  if (count === 1) return [[layers]];
  const step = Math.max(1, Math.round(layers / steps));
  const firsts = Array.from({ length: Math.ceil(layers / step) }, (_, i) => (i + 1) * step);
  return firsts
    .filter((first) => first <= layers - (count - 1))
    .flatMap((first) => cuts(layers - first, count - 1).map((rest) => [first, ...rest]));
}

/** One way to take a layout of each pool, every device of it in use. */
function pickings(pools: readonly Pool[]): readonly (readonly Layout[])[] {
  const [first, ...rest] = pools;
  if (!first) return [[]];
  const whole = first.layouts.filter(({ mesh }) => mesh.pp === 1 && rankCount(mesh) === first.devices);
  return whole.flatMap((layout) => pickings(rest).map((others) => [layout, ...others]));
}

/** The pools with the run of layers that each has. */
function runs(pools: readonly Pool[], cut: readonly number[]): readonly Pool[] {
  let begin = 0;
  return pools.map((pool, i) => {
    const count = cut[i] ?? 0;
    const shape = layersOf(pool.shape, begin, count);
    begin += count;
    return { ...pool, shape, underWay: pools.length };
  });
}

const roomOf = (pool: Pool | undefined): number => (pool ? usableBytes(pool) : 0);

type Round = {
  readonly forecasts: readonly Forecast[];
  /** Seconds from one batch to the next, and of one through all stages. */
  readonly pace: number;
  readonly through: number;
  readonly sequences: number;
};

/** A batch of `sequences` through all stages, or undefined where they do not fit. */
function roundOf(
  run: readonly Pool[],
  layouts: readonly Layout[],
  between: Network,
  phase: Phase,
  sequences: number,
): Round | undefined {
  const forecasts = run.flatMap((pool, i) => {
    const layout = layouts[i];
    if (!layout) return [];
    const own = { phase, layout, sequences: (sequences * layout.mesh.ep) / rankCount(layout.mesh) };
    const both = [1, 2].map((microBatches) => forecastOf(pool, { ...own, microBatches }));
    return both.reduce((a, b) => (b.stepMicroseconds < a.stepMicroseconds ? b : a));
  });
  if (forecasts.some((it, i) => totalBytes(it.memory) > roomOf(run[i]))) return undefined;
  const [first] = run;
  if (!first) return undefined;
  const tokens =
    (sequences * (phase === "prefill" ? first.demand.promptLength : checkedTokens(first.shape))) /
    Math.min(...run.map((it) => it.devices));
  const hop = {
    name: "send",
    ranks: between.devices.length,
    stride: 1,
    bytes: tokens * first.shape.hidden * floatBytes,
    joins: false,
  };
  const handing = (run.length - 1) * duration(exchangeTime(between, hop, first.machine.constants));
  const pace = Math.max(...forecasts.map((it) => it.stepMicroseconds)) * 1e-6;
  return { forecasts, pace, through: run.length * pace + handing * 1e-6, sequences };
}

/** A service of pools in a pipeline: prefill and decode in turn, on the same layouts. */
function serviceOf(run: readonly Pool[], decode: Round, prefill: Round): Service | undefined {
  const [first] = run;
  if (!first) return undefined;
  const stations = (of: Round): readonly Station[] =>
    run.flatMap((pool, i) => {
      const [forecast, d, p] = [of.forecasts[i], decode.forecasts[i], prefill.forecasts[i]];
      if (!forecast || !d || !p) return [];
      return [
        {
          pool,
          layers: layerCount(pool.shape),
          forecast: { ...forecast, memory: bothPhases(d.memory, p.memory) },
          copies: 1,
        },
      ];
    });
  const all = stations(decode);
  if (all.some(({ pool, forecast }) => totalBytes(forecast.memory) > usableBytes(pool))) return undefined;
  const { outputLength } = first.demand;
  const gained = gainedTokens(first, "decode");
  const decodeTime = (outputLength * decode.pace) / (decode.sequences * gained);
  const prefillTime = prefill.pace / prefill.sequences;
  const rate = 1 / (decodeTime + prefillTime);
  return {
    kind: "stages",
    decode: all,
    prefill: stations(prefill),
    tpot: decode.through / gained / (decodeTime * rate),
    ttft: prefill.through + decode.pace,
    requestsPerSecond: rate,
    tokensPerSecond: (rate * outputLength) / run.reduce((n, it) => n + it.devices, 0),
  };
}

/** Every service of the pools in one pipeline that keeps to the limit until the first token. `between` joins them all. */
export function stagedServices(
  pools: readonly Pool[],
  between: Network,
  { ttft }: Limits,
): readonly Service[] {
  const [first] = pools;
  if (!first || pools.length < 2) return [];
  return cuts(layerCount(first.shape), pools.length).flatMap((cut) => {
    const run = runs(pools, cut);
    return pickings(pools).flatMap((layouts) => {
      const rounds = (phase: Phase) => batches.flatMap((n) => roundOf(run, layouts, between, phase, n) ?? []);
      const prompts = rounds("prefill").filter((it) => within(it.through, ttft));
      const prefill = prompts.reduce(
        (a: Round | undefined, b) => (a && a.sequences / a.pace >= b.sequences / b.pace ? a : b),
        undefined,
      );
      if (!prefill) return [];
      const services = rounds("decode").flatMap((decode) => serviceOf(run, decode, prefill) ?? []);
      return services.filter((it) => within(it.ttft, ttft));
    });
  });
}
