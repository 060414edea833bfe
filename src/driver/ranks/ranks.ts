import { sharder } from "../../../passes/shard/shard.ts";
import { shardedPhases } from "../../../passes/index.ts";
import type { CpuCode } from "../../../targets/cpu/target.ts";
import { layerInOrder, type ExpertMap } from "../../cluster/expert-map.ts";
import { hcclBuffSize } from "../../cluster/hccl.ts";
import { expertRanks, oneDevice, placeOf, rankCount, tokenGroup, type Mesh } from "../../cluster/mesh.ts";
import { isOp, type Module } from "../../ir/graph.ts";
import { runPasses } from "../../pass/runner.ts";
import type { RankMemory } from "../../plan/manifest.ts";
import type { Channel } from "../../plan/program/channels.ts";
import { weightNames, type Step } from "../../plan/program/program.ts";
import { fail } from "../../support/diagnostics.ts";
import { storedForm } from "../../plan/stored-weight.ts";
import { memoryOfChannels } from "../../runtime/ranks/fabric.ts";
import { layoutMemory } from "../../runtime/engine/layout.ts";

/** How a model is spread over ranks. */
export type Parallel = {
  readonly mesh: Mesh;
  /** Experts of each layer that are held twice, where no placement says so. */
  readonly redundantExperts: number;
  /** Which expert rank holds which experts of each layer; absent, they are dealt out in order. */
  readonly placement?: ExpertMap | undefined;
};

export const alone: Parallel = { mesh: oneDevice, redundantExperts: 0 };

/** The module of each rank; the module itself where there is one. */
export function shardModule(
  module: Module,
  { mesh, redundantExperts, placement }: Parallel,
): readonly Module[] {
  const ranks = rankCount(mesh);
  if (placement) checkPlacement(module, mesh, placement);
  if (ranks === 1) return [module];
  const held = (layer: number, experts: number) =>
    placement?.layers[layer] ?? layerInOrder(experts, expertRanks(mesh), redundantExperts);
  const shard = sharder(module, { mesh, held });
  return Array.from({ length: ranks }, (_, rank) => runPasses(shard(rank), shardedPhases));
}

/** Whether a placement is one for this model on this mesh. Throws `cluster/placement`. */
function checkPlacement({ funcs }: Module, mesh: Mesh, { ranks, layers, experts }: ExpertMap): void {
  const wrong = (what: string, found: number, expected: number): never =>
    fail("cluster/placement", { kind: "flag", flag: "--placement" }, what, found, expected);
  const mixtures =
    funcs[0]?.body.filter((node) => isOp(node, "experts") || isOp(node, "integerExperts")) ?? [];
  const count = Number(mixtures[0]?.operands[3]?.type.dims[0] ?? 0);
  const parts = expertRanks(mesh);
  if (ranks !== parts) wrong("expert ranks", ranks, parts);
  if (layers.length !== mixtures.length) wrong("layers of experts", layers.length, mixtures.length);
  if (experts !== count) wrong("experts a layer", experts, count);
}

/** What each rank's memory holds, in bytes, for sequences of `context` positions. */
export function memoryOfRanks(
  { ranks, weights }: Pick<CpuCode, "ranks" | "weights">,
  context: number,
  channels: readonly Channel[],
): readonly RankMemory[] {
  const bytes = new Map(weights.map((w) => [w.name, storedForm(w).bytes]));
  return ranks.map(({ programs, caches }, rank) => {
    const own = [...weightNames(programs)].map((name) => ({ name, bytes: bytes.get(name) ?? 0 }));
    const weightBytes = own.reduce((n, w) => n + w.bytes, 0);
    const cache = caches.reduce((n, c) => n + c.rowBytes * context, 0);
    return {
      weights: weightBytes,
      cache,
      workspace: layoutMemory(programs, [], [], context, 1).totalBytes,
      scratch: 0,
      communication: memoryOfChannels(channels.filter((it) => it.group.includes(rank))),
    };
  });
}

/** The HCCL_BUFFSIZE that a rank's dispatches need on an Ascend cluster, in MB, by their rows of 4 bytes an element; undefined where it has none. */
export function hcclBuffSizeOf(
  programs: readonly { readonly maxTokens: number; readonly steps: readonly Step[] }[],
  mesh: Mesh,
): number | undefined {
  const sizes = programs.flatMap(({ steps, maxTokens }) =>
    steps.flatMap((step) => {
      if (!("collective" in step) || step.collective.kind !== "dispatch") return [];
      const { x, indices, starts } = step.collective;
      const [ranks, local] = [step.group.length, starts.slice(1).map((end, i) => end - (starts[i] ?? 0))];
      return hcclBuffSize({
        tokens: Math.ceil(maxTokens / tokenGroup(mesh, placeOf(mesh, 0)).length),
        width: x.width / 4,
        topK: indices.width / 4,
        ranks,
        localExperts: Math.max(...local),
      });
    }),
  );
  return sizes.length > 0 ? Math.max(...sizes) : undefined;
}
