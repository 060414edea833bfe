/** What to say where a model fits a cluster in no layout: by how much, what weighs most, what would help. */
import { formatLayout, type Layout } from "../../cluster/model/layout.ts";
import { memoryOf, totalBytes, type RankMemory } from "../../cluster/model/memory.ts";
import { precisionOf } from "../../cluster/model/precision.ts";
import { layoutsOf, usableBytes } from "../../cluster/model/search.ts";
import { stepOf } from "../../cluster/model/forecast.ts";
import type { Pool } from "../../cluster/model/service.ts";
import { namedScheme } from "../../quant/scheme.ts";
import { fail } from "../../support/diagnostics.ts";
import { bytes } from "../../support/text.ts";

type Least = { readonly layout: Layout; readonly memory: RankMemory; readonly bytes: number };

/** The layout that needs least on its fullest device, decoding one sequence a tensor group; undefined where there is none. */
function least(pool: Pool, layouts: readonly Layout[]): Least | undefined {
  const { promptLength, outputLength } = pool.demand;
  const found = layouts.map((layout): Least => {
    const sequences = 1 / layout.mesh.tp;
    const { work } = stepOf(pool, { phase: "decode", layout, sequences, microBatches: 1 });
    const { constants, imbalance } = pool.machine;
    const memory = memoryOf({ ...pool, layout, constants }, work, 1, promptLength + outputLength, imbalance);
    return { layout, memory, bytes: totalBytes(memory) };
  });
  return found.reduce((a: Least | undefined, b) => (a && a.bytes <= b.bytes ? a : b), undefined);
}

const schemes = ["int8", "int4"];
const factors = [2, 3, 4, 6, 8, 12, 16, 24, 32];

/** Throws `cluster/too-small` for the pool that comes nearest, or `cluster/no-layout`. */
export function tooLarge(pools: readonly Pool[], cluster: string): never {
  const over = (pool: Pool): number => (least(pool, pool.layouts)?.bytes ?? Infinity) / usableBytes(pool);
  const pool = pools.toSorted((a, b) => over(a) - over(b))[0];
  if (!pool) return fail("cluster/no-layout", undefined, cluster, 0);
  const limit = usableBytes(pool);
  const best = least(pool, pool.layouts);
  if (!best) return fail("cluster/no-layout", undefined, cluster, pool.devices);
  const terms = Object.entries(best.memory)
    .toSorted(([, a], [, b]) => b - a)
    .filter(([, size]) => size > best.bytes / 100)
    .map(([what, size]) => `${what} ${bytes(size)}`);
  const quantized = schemes.flatMap((name) => {
    const precision = precisionOf(pool.profile, namedScheme(name));
    const needs = least({ ...pool, precision }, pool.layouts)?.bytes ?? Infinity;
    return precision.weightBytes < pool.precision.weightBytes && needs <= limit
      ? [`--quant ${name} (about ${bytes(needs)} a device)`]
      : [];
  });
  const more = factors.find(
    (factor) => (least(pool, layoutsOf(pool.shape, factor * pool.devices))?.bytes ?? Infinity) <= limit,
  );
  const ways = [
    ...quantized,
    ...(more ? [`${more * pool.devices} such devices instead of ${pool.devices}`] : []),
  ];
  return fail(
    "cluster/too-small",
    undefined,
    cluster,
    {
      needs: bytes(best.bytes),
      over: bytes(best.bytes - limit),
      has: bytes(limit),
      layout: formatLayout(best.layout),
    },
    terms,
    ways,
  );
}
