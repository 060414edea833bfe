import { matricesOf } from "../../tensor/matrices.ts";
import { pipeline } from "../../../passes/index.ts";
import { isOp, type Func } from "../../ir/graph.ts";
import { runPasses } from "../../pass/runner.ts";
import { allocate, type Option } from "../../quant/allocate.ts";
import { gptq } from "../../quant/gptq/gptq.ts";
import { coupledEnergy, valuesOf } from "../../quant/output-error.ts";
import { fail } from "../../support/diagnostics.ts";
import { bitsPerWeight, formats, type FormatName } from "../../tensor/format.ts";
import { takesWidth } from "../../tensor/recipe.ts";
import { jobsOf, readFloats, type Job } from "./jobs.ts";
import { matrixName, type FormatChoice } from "./observe.ts";
import type { SegmentRun } from "./run-segment.ts";
import type { Sensitivity } from "./sensitivity.ts";
import { survey } from "./survey.ts";

/** What `auto` chooses from; activations of eight bits need symmetric weights. */
const candidates = [
  "int4-g128",
  "int4-g64",
  "int4-g32",
  "int4-g128-asym",
  "int4-g64-asym",
  "int4-g32-asym",
  "int8",
] as const satisfies readonly FormatName[];

export type AutoTask = {
  readonly func: Func;
  /** What may be quantized. */
  readonly choose: FormatChoice;
  readonly sensitivity?: Sensitivity;
  readonly minExpertTokens: number;
  readonly activations: "float" | "int8";
  /** Bits a weight may take on average, scales counted. */
  readonly bits: number;
};

/**
 * Choose a format for every matrix so that the divergence it causes, as far as errors add up, is least within a budget of bits. Each
 * candidate is rounded by GPTQ and its error measured on what the model computes from the windows. Matrices that one kernel reads
 * together share a format. Throws `quant/budget` where no choice is small enough.
 */
export async function chooseFormats(task: AutoTask, run: SegmentRun): Promise<FormatChoice> {
  const { func, choose, activations, bits } = task;
  const allowed = candidates.filter((it) => activations === "float" || formats[it].symmetric);
  const groups = readTogether(func);
  const options = new Map<string, Option[]>();
  let weights = 0;
  await survey(func, choose, run, (tapped, seen) => {
    for (const job of tapped.taps.flatMap((tap, t) => jobsOf(func, tap, seen[t], task))) {
      const key = groups.get(job.name) ?? job.name;
      const [rows = 1, cols = 1] = job.matrix.shape;
      weights += rows * cols;
      const found = measured(job, allowed, run);
      const known = options.get(key);
      options.set(key, known ? known.map((it, i) => added(it, found[i])) : found);
    }
  });
  const names = [...options.keys()];
  const chosen = allocate([...options.values()], bits * weights);
  if (!chosen) {
    const least = [...options.values()].reduce((sum, of) => sum + Math.min(...of.map((it) => it.bits)), 0);
    return fail("quant/budget", { kind: "flag", flag: "--bits" }, bits, Number((least / weights).toFixed(3)));
  }
  const formatOf = new Map(names.map((name, i) => [name, allowed[chosen[i] ?? 0]]));
  return (name, role) => (choose(name, role) ? formatOf.get(groups.get(name) ?? name) : undefined);
}

const added = (a: Option, b: Option | undefined): Option => ({
  bits: a.bits + (b?.bits ?? 0),
  error: a.error + (b?.error ?? 0),
});

/** What a matrix costs in each format: its bits, and the divergence that its error causes to second order. */
function measured(
  job: Job,
  allowed: readonly FormatName[],
  { reader, windows, products }: SegmentRun,
): Option[] {
  const { matrix, inputs, outputs } = job;
  const [rows = 1, cols = 1] = matrix.shape;
  const w = readFloats(matrix, reader);
  const gradients = outputs ?? identity(rows);
  const share = job.tokens / windows.reduce((n, it) => n + it.length, 0);
  return allowed.map((name) => {
    const format = formats[name];
    if (!takesWidth(name, cols)) return { bits: Infinity, error: Infinity };
    const values = valuesOf(gptq(w, rows, cols, inputs, format), rows, cols, format);
    const lost = w.map((x, i) => x - (values[i] ?? 0));
    return {
      bits: rows * cols * bitsPerWeight(format, cols),
      error: (share / 2) * coupledEnergy(lost, rows, cols, inputs, gradients, products),
    };
  });
}

const identity = (n: number): Float64Array =>
  Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));

/** Which matrices one kernel reads together once the model is fused, by name: they need one format. */
function readTogether(func: Func): ReadonlyMap<string, string> {
  const fuse = pipeline.filter(({ name }) => name === "fuse");
  const [fused] = runPasses({ funcs: [func] }, fuse).funcs;
  const groups = new Map<string, string>();
  for (const node of fused?.body ?? []) {
    if (!isOp(node, "weight")) continue;
    const names = matricesOf(node.attrs.recipe).map(matrixName);
    for (const name of names) groups.set(name, names[0] ?? name);
  }
  return groups;
}
