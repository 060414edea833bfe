/** What the flags of `moec compile` mean to the driver. */
import { parseExpertMap } from "../../cluster/expert-map.ts";
import { oneDevice } from "../../cluster/mesh.ts";
import { workFolder, type Calibration } from "../../driver/calibration/compile-calibrated.ts";
import type { CompileOptions } from "../../driver/compile.ts";
import { planQuantization, schemeFrom } from "../../driver/quantize.ts";
import type { Parallel } from "../../driver/ranks/ranks.ts";
import { readDescription, readText } from "../../driver/text-file.ts";
import type { Scheme } from "../../quant/scheme.ts";
import { fail } from "../../support/diagnostics.ts";
import { isRounding, type Rounding } from "../../tensor/format.ts";
import type { Options } from "./options.ts";

/** Tokens of a sequence of the calibration text. */
const calibrationWindow = 512;

/** How to calibrate, if that was asked for. */
export function calibrationOf(options: Options, output: string | undefined): Calibration | undefined {
  const { calibrate, minExpertTokens, gradientWindows, threads } = options;
  if (calibrate === undefined) return undefined;
  const scheme = schemeFrom(options.quant, options.bits);
  if (!scheme) return fail("usage/missing", { kind: "flag", flag: "--quant" }, "the scheme to calibrate for");
  if (output === undefined)
    return fail(
      "usage/missing",
      { kind: "flag", flag: "-o" },
      "the folder of the plan, beside which calibrated weights are kept",
    );
  const text = readText(calibrate);
  const rounding = options.rounding ?? "gptq";
  const work = workFolder(output);
  const saved = options.calibration;
  return {
    scheme,
    text,
    window: calibrationWindow,
    minExpertTokens,
    rounding,
    gradientWindows,
    threads,
    work,
    ...(saved !== undefined && { saved }),
  };
}

/** How weights are rounded by what they alone tell. Throws `quant/needs-text` where that is not enough. */
function plainRounding({ rounding }: Options, scheme: Scheme): Rounding | undefined {
  const needs = (what: string) => fail("quant/needs-text", { kind: "flag", flag: "--calibrate" }, what);
  if (scheme.bits !== undefined) return needs("a scheme that chooses formats");
  return rounding === undefined || isRounding(rounding) ? rounding : needs(`--rounding ${rounding}`);
}

/** How the model is spread over ranks; by a placement alone, over those that it has. */
export function parallelOf({ parallel, redundantExperts, placement }: Options): Parallel {
  if (placement === undefined)
    return { mesh: parallel ?? oneDevice, redundantExperts: redundantExperts ?? 0 };
  if (redundantExperts !== undefined)
    fail(
      "usage/value",
      { kind: "flag", flag: "--redundant-experts" },
      "--redundant-experts",
      "given beside --placement",
      "one of the two: a placement says itself which experts are held twice",
    );
  const map = parseExpertMap(readDescription(placement), placement);
  return { mesh: parallel ?? { ...oneDevice, ep: map.ranks }, redundantExperts: 0, placement: map };
}

/** What the passes and the target are asked for, of a model that is spread over ranks as `parallel` says. */
export function settingsOf(options: Options, parallel = parallelOf(options)): CompileOptions {
  const { quant, bits, calibrate, kv, context, batch, dims, disable } = options;
  const { memoryPerRank } = options;
  const scheme = schemeFrom(quant, bits);
  const isPlain = scheme && calibrate === undefined;
  return {
    ...(isPlain && {
      quantization: planQuantization(scheme, plainRounding(options, scheme), parallel.mesh.tp),
    }),
    caches: kv,
    ...(context !== undefined && { context }),
    ...(batch !== undefined && { batchTokens: batch }),
    ...(memoryPerRank !== undefined && { memoryPerRank }),
    parallel,
    sizes: dims,
    passes: { disable },
  };
}
