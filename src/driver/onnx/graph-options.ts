/** What a compile may be asked for that only the plan of a decoder has. */
import { oneDevice, rankCount } from "../../cluster/mesh.ts";
import { CompileError, diag, type Diagnostic } from "../../support/diagnostics.ts";
import type { CompileOptions } from "../compile.ts";

/** Throws `cluster/graph` and `onnx/graph-option` for everything asked of a graph's plan that would change nothing there. */
export function refuseDecoderOptions(options: CompileOptions): void {
  const faults = [...faultsOf(options)];
  if (faults.length > 0) throw new CompileError(faults);
}

function* faultsOf(options: CompileOptions): Iterable<Diagnostic> {
  const { context, batchTokens, caches, device, memoryPerRank, parallel } = options;
  const noUse = (flag: string, why: string) => diag("onnx/graph-option", { kind: "flag", flag }, flag, why);
  if (context !== undefined) yield noUse("--context", "it keeps nothing of positions before");
  if (batchTokens !== undefined) yield noUse("--prefill-tokens", "it has no prefill");
  if (caches === "int8") yield noUse("--kv", "it has no caches");
  if (device) yield noUse("--target", "the reference interpreter runs it");
  if (memoryPerRank !== undefined) yield noUse("--memory-per-rank", "it has no ranks");
  if (parallel?.redundantExperts) yield noUse("--redundant-experts", "it has no ranks");
  if (parallel?.placement) yield noUse("--placement", "it has no ranks");
  else if (rankCount(parallel?.mesh ?? oneDevice) > 1)
    yield diag("cluster/graph", { kind: "flag", flag: "--parallel" });
}
