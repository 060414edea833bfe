import { formatMesh, type Mesh } from "../../cluster/mesh.ts";
import { isOp, type Module, type Value } from "../../ir/graph.ts";
import { sizeOf } from "../../ir/types.ts";
import type { RankMemory } from "../../plan/manifest.ts";
import { fail } from "../../support/diagnostics.ts";
import { bytes } from "../../support/text.ts";
import { dtypes } from "../../tensor/dtype.ts";
import { quantizedParts } from "../../tensor/quantized.ts";
import type { Recipe } from "../../tensor/recipe.ts";

/** A rank as it is, and what of it other choices would change. */
export type Fitting = {
  readonly mesh: Mesh;
  readonly modules: readonly Module[];
  readonly memory: readonly RankMemory[];
  readonly context: number;
  /** Bytes that each rank has. */
  readonly limits: readonly number[];
};

const totalOf = (memory: RankMemory): number => Object.values(memory).reduce((n, it) => n + it, 0);

/** The weights of a module by what they are for, in bytes as they are stored. */
type Shares = {
  readonly experts: number;
  /** The matrices that --quant rounds. */
  readonly rounded: { readonly elements: number; readonly bytes: number };
  /** Experts of a layer, heads and layers that a rank has, at most. */
  readonly local: { readonly experts: number; readonly heads: number; readonly layers: number };
};

/** Bytes that a weight takes: one or half of one for a code, and its scales. */
function bytesOf(recipe: Recipe): number {
  const parts = quantizedParts(recipe);
  const plain = (r: Recipe) => (sizeOf(r.shape) * dtypes[r.dtype].bits) / 8;
  return parts ? (sizeOf(parts.codes.shape) * parts.bits) / 8 + plain(parts.scales) : plain(recipe);
}

function sharesOf(module: Module): Shares {
  const [func] = module.funcs;
  const recipes = new Map<Value, Recipe>();
  for (const node of func?.body ?? [])
    if (isOp(node, "weight") && node.results[0]) recipes.set(node.results[0], node.attrs.recipe);
  const logits = new Set(func?.results.map((r) => r.value));
  let [experts, elements, size] = [0, 0, 0];
  const local = { experts: 0, heads: 0, layers: 0 };
  for (const node of func?.body ?? []) {
    const isExperts = isOp(node, "experts") || isOp(node, "integerExperts");
    if (isExperts) local.experts = Math.max(local.experts, Number(node.operands[3]?.type.dims[0]));
    if (isOp(node, "attention") || isOp(node, "latentAttention")) {
      local.layers++;
      local.heads = Math.max(local.heads, Number(node.operands[0]?.type.dims[1]));
    }
    if (!isExperts && (!isOp(node, "linear") || node.results.some((v) => logits.has(v)))) continue;
    for (const recipe of node.operands.flatMap((v) => recipes.get(v) ?? [])) {
      if (isExperts) experts += bytesOf(recipe);
      elements += sizeOf(recipe.shape);
      size += bytesOf(recipe);
    }
  }
  return { experts, rounded: { elements, bytes: size }, local };
}

/** A change that a user could make, and about what a rank would need then. */
type Change = { readonly flag: string; readonly bytes: number };

const factors = [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128];

/** The first of so many more ranks that is enough. */
const enough = (of: (factor: number) => Change, limit: number, most: number): readonly Change[] =>
  factors
    .filter((factor) => factor <= most)
    .map(of)
    .filter((it) => it.bytes <= limit)
    .slice(0, 1);

/** Changes by which a rank would fit, each by itself. */
function changes(
  { mesh, context }: Fitting,
  memory: RankMemory,
  limit: number,
  shares: Shares,
): readonly Change[] {
  const rest = totalOf(memory) - memory.weights;
  const parallel = (axis: keyof Mesh, factor: number): string =>
    `--parallel ${formatMesh({ ...mesh, [axis]: mesh[axis] * factor })}`;
  const moreExperts = enough(
    (factor) => ({
      flag: parallel("ep", factor),
      bytes: rest + memory.weights - shares.experts * (1 - 1 / factor),
    }),
    limit,
    shares.local.experts,
  );
  const moreTensors = enough(
    (factor) => ({ flag: parallel("tp", factor), bytes: rest + memory.weights / factor }),
    limit,
    shares.local.heads,
  );
  const moreStages = enough(
    (factor) => ({
      flag: parallel("pp", factor),
      bytes: rest - memory.cache + (memory.weights + memory.cache) / factor,
    }),
    limit,
    shares.local.layers,
  );
  const rounded = [
    { flag: "--quant int8", bits: 8.1 },
    { flag: "--quant int4-g128", bits: 4.15 },
  ].map(({ flag, bits }) => ({
    flag,
    bytes: rest + memory.weights - shares.rounded.bytes + (bits / 8) * shares.rounded.elements,
  }));
  const positions = Math.floor(
    (context * (limit - totalOf(memory) + memory.cache)) / Math.max(1, memory.cache),
  );
  const shorter = positions >= 256 ? [{ flag: `--context ${positions}`, bytes: limit }] : [];
  return [...moreExperts, ...moreTensors, ...moreStages, ...rounded, ...shorter].filter(
    (it) => it.bytes <= limit,
  );
}

/**
 * Whether every rank's memory is enough. Throws `cluster/memory`: by how much the fullest is over, which terms weigh most, and
 * which changes would make it fit, as estimates.
 */
export function checkFit(fitting: Fitting): void {
  const { memory, modules, limits } = fitting;
  const totals = memory.map(totalOf);
  const over = totals.map((it, rank) => it - (limits[rank] ?? Infinity));
  const rank = over.every((it) => it === -Infinity) ? 0 : over.indexOf(Math.max(...over));
  const [fullest, module, total = 0, limit = Infinity] = [memory[rank], modules[rank], totals[rank], limits[rank]]; // prettier-ignore
  if (!fullest || !module || total <= limit) return;
  const shares = sharesOf(module);
  const terms = Object.entries(fullest)
    .filter(([, size]) => size > 0)
    .toSorted(([, a], [, b]) => b - a)
    .map(([what, size]) => {
      const inside =
        what === "weights" && shares.experts > 0 ? ` (routed experts ${bytes(shares.experts)})` : "";
      return `${what} ${bytes(size)}${inside}`;
    });
  const ways = changes(fitting, fullest, limit, shares).map(
    ({ flag, bytes: size }) => `${flag} (about ${bytes(size)})`,
  );
  fail("cluster/memory", undefined, rank, bytes(total), bytes(total - limit), bytes(limit), terms, ways);
}
