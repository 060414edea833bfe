/** What a request of `moec compile` means to the driver. */
import { oneDevice } from "../../cluster/mesh.ts";
import { workFolder, type Calibration } from "../../driver/calibration/compile-calibrated.ts";
import type { CompileOptions } from "../../driver/compile.ts";
import { planQuantization } from "../../driver/quantize.ts";
import type { Parallel } from "../../driver/ranks/ranks.ts";
import type { Scheme } from "../../quant/scheme.ts";
import { fail } from "../../support/diagnostics.ts";
import { isRounding, type Rounding } from "../../tensor/format.ts";
import type { Request } from "./request.ts";

/** Tokens of a sequence of the calibration text. */
const calibrationWindow = 512;

/** How to calibrate, if that was asked for. */
export function calibrationOf(request: Request, output: string | undefined): Calibration | undefined {
  const { scheme, calibrate: text, minExpertTokens, gradientWindows, threads } = request;
  if (text === undefined) return undefined;
  if (!scheme) return fail("usage/missing", { kind: "flag", flag: "--quant" }, "the scheme to calibrate for");
  if (output === undefined)
    return fail(
      "usage/missing",
      { kind: "flag", flag: "-o" },
      "the folder of the plan, beside which calibrated weights are kept",
    );
  const rounding = request.rounding ?? "gptq";
  const work = workFolder(output);
  const saved = request.calibration;
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
function plainRounding({ rounding }: Request, scheme: Scheme): Rounding | undefined {
  const needs = (what: string) => fail("quant/needs-text", { kind: "flag", flag: "--calibrate" }, what);
  if (scheme.bits !== undefined) return needs("a scheme that chooses formats");
  return rounding === undefined || isRounding(rounding) ? rounding : needs(`--rounding ${rounding}`);
}

/** How the model is spread over ranks; by a placement alone, over those that it has. */
export function parallelOf({ parallel, redundantExperts, placement }: Request): Parallel {
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
  return { mesh: parallel ?? { ...oneDevice, ep: placement.ranks }, redundantExperts: 0, placement };
}

/** What the passes and the target are asked for, of a model that is spread over ranks as `parallel` says. */
export function settingsOf(request: Request, parallel = parallelOf(request)): CompileOptions {
  const { scheme, calibrate, kv, context, batch, dims, disable, memoryPerRank } = request;
  const isPlain = scheme && calibrate === undefined;
  return {
    ...(isPlain && {
      quantization: planQuantization(scheme, plainRounding(request, scheme), parallel.mesh.tp),
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
