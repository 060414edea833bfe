import { channelGroups, type ChannelGroup } from "../../../passes/quantize/balance-channels.ts";
import { roleOf } from "../../../passes/quantize/weights.ts";
import { matricesOf } from "../../tensor/matrices.ts";
import { isOp, type Func } from "../../ir/graph.ts";
import { edit } from "../../pass/edit.ts";
import type { Balanced, Balancer } from "../../quant/balance.ts";
import { shrunk } from "../../quant/moments.ts";
import { formats } from "../../tensor/format.ts";
import { readFloats } from "./jobs.ts";
import { matrixName, type FormatChoice, type Tapped } from "./observe.ts";
import type { SegmentRun } from "./run-segment.ts";
import { together, type Seen } from "./statistics.ts";
import { survey } from "./survey.ts";

/** Factors of each group of channels, by its key. */
export type Factors = ReadonlyMap<string, Float32Array>;

/** Find factors for every group whose readers are seen, on what the model computes with nothing quantized. */
export async function findFactors(
  func: Func,
  choose: FormatChoice,
  minExpertTokens: number,
  balancer: Balancer,
  run: SegmentRun,
): Promise<Factors> {
  const groups = channelGroups(func);
  const found = new Map<string, Float32Array>();
  await survey(func, choose, run, (tapped, seen) => {
    for (const group of groups) {
      const factors = factorsOf(func, group, tapped, seen, { choose, minExpertTokens, balancer, run });
      if (factors) found.set(group.key, factors);
    }
  });
  return found;
}

type Means = {
  readonly choose: FormatChoice;
  readonly minExpertTokens: number;
  readonly balancer: Balancer;
  readonly run: SegmentRun;
};

function factorsOf(
  func: Func,
  { readers, channels }: ChannelGroup,
  { taps }: Tapped,
  seen: readonly Seen[],
  means: Means,
): Float32Array | undefined {
  const at = taps.findIndex((tap) => readers.some(({ weight }) => weight === tap.weight));
  const known = seen[at];
  if (!known) return undefined;
  const all = readers.map(({ weight }) => matricesRead(func, weight, means));
  if (!readers[0]?.isStack) return balanced(all.flat(), together(known), together(known), means);
  // Each expert's channels are its own.
  const parts = (all[0] ?? []).map((matrix, e) =>
    balanced([matrix], known.experts[e] ?? known.all, together(known), means),
  );
  const width = channels / Math.max(1, parts.length);
  const out = new Float32Array(channels).fill(1);
  parts.forEach((own, e) => out.set(own ?? [], e * width));
  return out;
}

type Read = Balanced["readers"][number];

function matricesRead(func: Func, weight: ChannelGroup["maker"], { choose, run }: Means): readonly Read[] {
  const { site } = edit(func);
  const maker = site.definition(weight);
  const role = roleOf(site, weight);
  if (!isOp(maker, "weight") || !role) return [];
  return matricesOf(maker.attrs.recipe).flatMap((matrix): readonly Read[] => {
    const format = choose(matrixName(matrix), role);
    const [rows = 1] = matrix.shape;
    return format ? [{ w: readFloats(matrix, run.reader), rows, format: formats[format] }] : [];
  });
}

function balanced(
  readers: readonly Read[],
  own: Seen["all"],
  layer: Seen["all"],
  { minExpertTokens, balancer }: Means,
): Float32Array | undefined {
  if (readers.length === 0) return undefined;
  const peaks = own.tokens < minExpertTokens ? layer.peaks : own.peaks;
  return balancer({ channels: own.width, inputs: shrunk(own, layer, minExpertTokens), peaks, readers });
}
