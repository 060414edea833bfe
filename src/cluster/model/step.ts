/** The time of one step of a decoder on a cluster: its kernels, its exchanges, and how they overlap. */
import {
  attentionTasks,
  floatLinear,
  ownTokens,
  rowwise,
  type LayerContext,
  type Task,
} from "./layer/attention.ts";
import type { Constants } from "./constants.ts";
import type { DecoderShape } from "./decoder.ts";
import { denseTasks, sparseTasks } from "./layer/feed-forward.ts";
import { duration, idle, plus, times, type Busy, type KernelCost } from "./kernel.ts";
import { headRanks, type Layout } from "./layout.ts";
import { exchangeTime, type Network } from "./links.ts";
import { floatBytes, type Precision } from "./precision.ts";
import type { StepWork } from "./layer/work.ts";
import type { DType } from "../../tensor/dtype.ts";

/** What every step of a forecast rests on. */
export type Machine = {
  readonly cost: KernelCost;
  readonly network: Network;
  readonly constants: Constants;
  /** What the device multiplies 16-bit floats as. */
  readonly float: DType;
  /** Tokens of the fullest rank of experts over the mean; 1 is perfect balance. */
  readonly imbalance: number;
};

/** A part of a step: what it does and how often. */
export type Part = { readonly name: string; readonly count: number; readonly tasks: readonly Task[] };

const sparsePart = (cx: LayerContext, { constants, imbalance }: Machine, count: number): readonly Part[] => {
  const { mixture } = cx.shape;
  if (!mixture || count === 0) return [];
  return [
    { name: "attention", count, tasks: attentionTasks(cx) },
    { name: "experts", count, tasks: sparseTasks(cx, mixture, imbalance, constants) },
  ];
};

/** The logits of a step's last tokens; in prefill one of each sequence. */
function headPart(cx: LayerContext, count: number): Part {
  const { shape, layout, float, work } = cx;
  const ranks = headRanks(layout);
  const rows = work.sequences * (work.phase === "decode" ? work.tokens : 1) * ranks;
  const among = (name: string, bytes: number): readonly Task[] =>
    ranks === 1 ? [] : [{ exchange: { name, ranks, stride: 1, bytes: rows * bytes, joins: true } }];
  return {
    name: "head",
    count,
    tasks: [
      ...among("gather states", shape.hidden * floatBytes),
      floatLinear("logits", rows, shape.vocab / ranks, shape.hidden, float),
      rowwise("sample", (rows * shape.vocab * 4 * 2) / ranks),
      // The best of each rank's part: a number and where it is.
      ...among("choose tokens", 8),
    ],
  };
}

/** All layers of a decoder, embedding and head. */
export function modelParts(cx: LayerContext, machine: Machine): readonly Part[] {
  const { shape } = cx;
  return [
    {
      name: "embedding",
      count: 1,
      tasks: [rowwise("embed", ownTokens(cx.work) * shape.hidden * floatBytes * 2)],
    },
    ...(shape.denseLayers > 0
      ? [
          { name: "attention", count: shape.denseLayers, tasks: attentionTasks(cx) },
          { name: "dense", count: shape.denseLayers, tasks: denseTasks(cx) },
        ]
      : []),
    ...sparsePart(cx, machine, shape.sparseLayers),
    headPart(cx, 1),
  ];
}

/** One layer that predicts a token more: two norms, their join, a layer of experts, the head (DeepSeek-V3, 2.2). */
export function predictionParts(cx: LayerContext, machine: Machine): readonly Part[] {
  const { shape, precision: _, work } = cx;
  if (shape.predictionLayers === 0) return [];
  const own = ownTokens(work);
  const join: Part = {
    name: "join",
    count: 1,
    tasks: [
      rowwise("norms", own * shape.hidden * floatBytes * 6),
      floatLinear("join", own, shape.hidden, 2 * shape.hidden, cx.float),
    ],
  };
  return [join, ...sparsePart(cx, machine, 1), headPart(cx, 1)];
}

/** How long a task keeps a rank's means busy. */
export const busyWith = (task: Task, { cost, network, constants }: Machine): Busy =>
  "kernel" in task ? cost.time(task.kernel) : exchangeTime(network, task.exchange, constants);

export type StepTime = {
  readonly microseconds: number;
  /** What its means would take one after the other, and each alone. */
  readonly serial: number;
  readonly busy: Busy;
};

/**
 * The time of parts that run `microBatches` times over. One micro-batch goes through them one after the other. Two hide
 * in each other a share of what they could at best, which is all but the busiest means; weights are read for each.
 */
export function timeOf(parts: readonly Part[], microBatches: number, machine: Machine): StepTime {
  let busy: Busy = idle;
  let serial = 0;
  for (const { count, tasks } of parts)
    for (const task of tasks) {
      const one = busyWith(task, machine);
      const n = count * microBatches;
      busy = plus(busy, times(one, n));
      serial += n * duration(one);
    }
  const best = Math.max(busy.matrix, busy.memory, busy.network);
  const hidden = microBatches > 1 ? machine.constants.hidden.value * (serial - best) : 0;
  return { microseconds: serial - hidden, serial, busy };
}

export type Step = {
  readonly shape: DecoderShape;
  readonly layout: Layout;
  readonly precision: Precision;
  readonly work: StepWork;
  readonly microBatches: number;
};

/** The context of one of a step's micro-batches. */
export function contextOf(
  { shape, layout, precision, work, microBatches }: Step,
  float: DType,
): LayerContext {
  return { shape, layout, precision, float, work: { ...work, sequences: work.sequences / microBatches } };
}
