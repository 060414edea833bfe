/** What `moec compile` says of a plan, in prose and as JSON. */
import { basename, resolve } from "node:path";
import { modelled } from "../../machine/figures.ts";
import { formatMesh } from "../../cluster/mesh.ts";
import type { Emitted } from "../../driver/compile.ts";
import type { EmittedOnnx } from "../../driver/onnx/compile-onnx.ts";
import { structureOf } from "../../driver/structure.ts";
import { storedForm } from "../../plan/stored-weight.ts";
import { bytes, counted, short } from "../../support/text.ts";
import type { Context } from "../command.ts";
import { byLimit, caution, duration, kernelTable, limitShares } from "./kernels.ts";
import { formatRuns, type PassRun } from "./passes.ts";

/** What a plan takes, known before anything is written. */
function sizes({ parts }: Pick<Emitted, "parts">) {
  const ranks = parts.head.ranks.map(({ memory, hcclBuffSizeMB }) => ({ memory, hcclBuffSizeMB }));
  return {
    weightBytes: parts.weights.reduce((n, w) => n + storedForm(w).bytes, 0),
    cacheBytes: ranks.reduce((n, it) => n + it.memory.cache, 0),
    parallel: formatMesh(parts.head.mesh),
    ranks,
  };
}

/** The memory of the rank that needs most, where there are several. */
function fullestRank(emitted: Pick<Emitted, "parts">): string | undefined {
  const { ranks, parallel } = sizes(emitted);
  const totals = ranks.map(({ memory }) => Object.values(memory).reduce((n, it) => n + it, 0));
  const most = totals.indexOf(Math.max(...totals));
  const held = Object.entries(ranks[most]?.memory ?? {}).filter(([, size]) => size > 0);
  const terms = held.map(([what, size]) => `${what} ${bytes(size)}`);
  return ranks.length > 1
    ? `${ranks.length} ranks (${parallel}); the fullest needs ${bytes(totals[most] ?? 0)}: ${terms.join(", ")}`
    : undefined;
}

/** Kernels of a phase that are named; all are in the plan's simulation. */
const shownKernels = 5;

/** The kernels that take most of each phase of a plan for a device, by what limits them. */
function phasesText({ parts }: Pick<Emitted, "parts">): string | undefined {
  const phases = parts.phaseTimes?.();
  const [first] = phases ?? [];
  if (!phases || !first) return undefined;
  const of = parts.head.ranks.length > 1 ? `rank 0 of ${parts.head.ranks.length}, without exchanges` : "simulated"; // prettier-ignore
  const told = phases.map(({ phase, call: { tokens, past }, microseconds, kernels }) => {
    const behind = past > 0 ? ` behind ${counted(past, "position")}` : "";
    return [
      `${phase} of ${counted(tokens, "token")}${behind}: ${duration(microseconds)} (${of}); limits: ${limitShares(kernels)}`,
      kernelTable(kernels.slice(0, shownKernels), microseconds),
    ].join("\n");
  });
  return `${told.join("")}${caution(first.profile)}`.trimEnd();
}

/** The same as JSON, with every kernel. */
const phasesJson = ({ parts }: Pick<Emitted, "parts">) =>
  parts.phaseTimes?.().map(({ phase, profile, call, microseconds, kernels }) => ({
    phase,
    machine: profile.name,
    rank: 0,
    ...call,
    microseconds,
    microsecondsByLimit: Object.fromEntries(byLimit(kernels)),
    kernels: kernels.map((it) => ({
      kernel: it.kernel,
      launches: it.launches,
      microseconds: it.microseconds,
      roofline: it.roofline,
      limit: it.limit,
    })),
    models: modelled(profile).time,
  }));

/** What `--json` tells of the plan of a checkpoint. */
export function summary(emitted: Emitted, runs: readonly PassRun[]) {
  const { model, target, quantization, context } = emitted.parts.head;
  const { predictionTensors, ignoredTensors } = emitted.model.imported;
  return {
    model,
    target,
    quantization,
    context,
    ...sizes(emitted),
    predictionTensors: predictionTensors.length,
    ignoredTensors: ignoredTensors.length,
    passes: runs,
    ...(emitted.parts.phaseTimes && { phases: phasesJson(emitted) }),
  };
}

/** The same in prose. */
export function tell(emitted: Emitted, runs: readonly PassRun[], path: string, cx: Context): void {
  const { model, context } = emitted.parts.head;
  const { predictionTensors } = emitted.model.imported;
  const aside = predictionTensors.length
    ? `; ${counted(predictionTensors.length, "tensor")} of multi-token prediction left aside`
    : "";
  cx.log.info(
    `${basename(resolve(path))}: ${model.family}, ${short(model.parameters)} parameters, ${counted(model.layers, "layer")}${aside}`,
  );
  if (runs.length > 0) cx.log.info(formatRuns(runs).trimEnd());
  const { weightBytes, cacheBytes } = sizes(emitted);
  cx.log.info(
    `weights ${bytes(weightBytes)}, cache ${bytes(cacheBytes)} for ${counted(context, "position")}`,
  );
  const fullest = fullestRank(emitted);
  if (fullest !== undefined) cx.log.info(fullest);
  tellPhases(emitted, cx);
}

/** What its kernels take, where anyone listens: they are timed for it. */
function tellPhases(emitted: Pick<Emitted, "parts">, cx: Context): void {
  const told = cx.log.quiet || cx.json ? undefined : phasesText(emitted);
  if (told !== undefined) cx.log.info(told);
}

/** What `--json` tells of the plan of an ONNX model. */
export function graphSummary({ parts, module, missed }: EmittedOnnx, runs: readonly PassRun[]) {
  const { target, quantization, graph, model } = parts.head;
  return {
    model,
    target,
    quantization,
    ...graph,
    ...sizes({ parts }),
    ...structureOf(module),
    missed,
    passes: runs,
  };
}

/** The same in prose. */
export function tellGraph(emitted: EmittedOnnx, runs: readonly PassRun[], path: string, cx: Context): void {
  const { inputs, outputs, weightBytes, model } = graphSummary(emitted, runs);
  const named = (values: readonly { readonly name: string }[] = []): string =>
    values.map((it) => it.name).join(", ");
  const what = inputs
    ? `from ${named(inputs)} to ${named(outputs)}`
    : `a decoder of ${counted(model.layers, "layer")}`;
  cx.log.info(`${basename(resolve(path))}: ${what}`);
  if (runs.length > 0) cx.log.info(formatRuns(runs).trimEnd());
  for (const { what: operator, at, because } of emitted.missed)
    cx.log.info(`not raised: ${operator} at ${at}, for ${because}`);
  cx.log.info(`weights ${bytes(weightBytes)}`);
  const fullest = fullestRank(emitted);
  if (fullest !== undefined) cx.log.info(fullest);
  tellPhases(emitted, cx);
}
