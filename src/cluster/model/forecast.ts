/** What one layout delivers with one batch: time, tokens, memory. */
import type { Profile } from "../../machine/profile.ts";
import type { DecoderShape } from "./decoder.ts";
import { layerCount } from "./decoder.ts";
import { joulesOf } from "./energy.ts";
import { duration, type Busy } from "./kernel.ts";
import { layersPerStage, stageRanks, type Layout } from "./layout.ts";
import { exchangeTime } from "./links.ts";
import { memoryOf, type RankMemory } from "./memory.ts";
import { floatBytes, type Precision } from "./precision.ts";
import {
  contextOf,
  modelParts,
  predictionParts,
  timeOf,
  type Machine,
  type Part,
  type Step,
} from "./step.ts";
import type { Phase } from "./layer/work.ts";
import { rankCount } from "../mesh.ts";

/** Requests that a forecast serves: all of one length. */
export type Demand = { readonly promptLength: number; readonly outputLength: number };

export type ForecastCase = {
  readonly shape: DecoderShape;
  readonly precision: Precision;
  readonly machine: Machine;
  readonly profile: Profile;
  readonly demand: Demand;
  /** Batches that are under way at once; where it is not said, one in each stage of the layout. */
  readonly underWay?: number;
};

/** A layout with its batch. */
export type Choice = {
  readonly phase: Phase;
  readonly layout: Layout;
  /** Sequences that a rank has for its own, or for its own and those that share its tokens, at once. */
  readonly sequences: number;
  readonly microBatches: number;
};

export type Forecast = Choice & {
  /** One step: of decode a round of every sequence, of prefill a batch of prompts. */
  readonly stepMicroseconds: number;
  /** Seconds from one token of a sequence to the next; of prefill, those until the first. */
  readonly latency: number;
  /** Tokens a second of one device: generated ones, or of prompts. */
  readonly tokensPerSecond: number;
  /** How long a step keeps each of a device's means busy, in microseconds. */
  readonly busy: Busy;
  /** Microseconds that a step's kernels and exchanges take one after the other. */
  readonly serialMicroseconds: number;
  readonly memory: RankMemory;
};

/** Tokens of a sequence that one step of decode checks: the next and, where a layer predicts it, one more. */
export const checkedTokens = ({ predictsMore }: DecoderShape): number => (predictsMore ? 2 : 1);

/** Tokens of a sequence that a step adds. */
export const gainedTokens = ({ machine, shape, demand }: ForecastCase, phase: Phase): number =>
  phase === "prefill"
    ? demand.promptLength
    : 1 + (checkedTokens(shape) - 1) * machine.constants.accepted.value;

/** The step of a choice. */
export function stepOf({ shape, precision, demand }: ForecastCase, choice: Choice): Step {
  const { phase, layout, sequences, microBatches } = choice;
  const { promptLength, outputLength } = demand;
  const work =
    phase === "decode"
      ? { phase, sequences, tokens: checkedTokens(shape), attended: promptLength + outputLength / 2 }
      : { phase, sequences, tokens: promptLength, attended: promptLength / 2 };
  return { shape, layout, precision, work, microBatches };
}

/** Everything that a rank does in one micro-batch of a step. */
export function partsOf(it: ForecastCase, step: Step): readonly Part[] {
  const cx = contextOf(step, it.machine.float);
  const main = modelParts(cx, it.machine);
  return step.work.phase === "decode" ? [...main, ...predictionParts(cx, it.machine)] : main;
}

/** Microseconds to hand a batch from one stage to the next, one after another. */
function handingOn(it: ForecastCase, { layout, work, shape }: Step): number {
  const { pp } = layout.mesh;
  if (pp === 1) return 0;
  const bytes = work.sequences * work.tokens * shape.hidden * floatBytes;
  const hop = { name: "send", ranks: 2, stride: stageRanks(layout), bytes: 2 * bytes, joins: false };
  return (pp - 1) * duration(exchangeTime(it.machine.network, hop, it.machine.constants));
}

/**
 * The forecast of a choice. A pipeline has a batch in each stage, and goes at the pace of its longest one: layers that do
 * not divide evenly are its bubbles.
 */
export function forecastOf(it: ForecastCase, choice: Choice): Forecast {
  const { constants, imbalance } = it.machine;
  const step = stepOf(it, choice);
  const { mesh } = choice.layout;
  const time = timeOf(partsOf(it, step), choice.microBatches, it.machine);
  const uneven = (mesh.pp * layersPerStage(choice.layout, it.shape)) / layerCount(it.shape);
  const microseconds = time.microseconds * uneven + handingOn(it, step) + constants.stepMicroseconds.value;
  const gained = gainedTokens(it, choice.phase);
  const inFlight = choice.sequences * mesh.dp * mesh.tp * mesh.pp;
  const { promptLength, outputLength } = it.demand;
  const positions = choice.phase === "decode" ? promptLength + outputLength : promptLength;
  return {
    ...choice,
    stepMicroseconds: microseconds,
    latency: (microseconds * 1e-6) / (choice.phase === "decode" ? gained : 1),
    tokensPerSecond: (inFlight * gained * 1e6) / microseconds / rankCount(mesh),
    busy: time.busy,
    serialMicroseconds: time.serial,
    memory: memoryOf(
      { ...it, layout: choice.layout, constants },
      step.work,
      choice.microBatches,
      positions,
      imbalance,
    ),
  };
}

/** Joules that all devices of a layout take for one token, by the profile's model. */
export function joulesPerToken(it: ForecastCase, forecast: Forecast): number {
  const parts = partsOf(it, stepOf(it, forecast));
  const { microBatches, stepMicroseconds, tokensPerSecond } = forecast;
  const joules = joulesOf(it.profile, parts, microBatches, stepMicroseconds);
  return joules / (tokensPerSecond * stepMicroseconds * 1e-6);
}
