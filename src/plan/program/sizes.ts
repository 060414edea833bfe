import { bindDim, dimNames } from "../../ir/dim.ts";
import { extentsOf, type CallLimits, type Extent, type Program } from "./program.ts";

/** The dims that a program counts by, each once: the place of its size in the table of a call. */
export function sizeTable(program: Program): readonly string[] {
  return [...new Set(["1", "S", "T", ...extentsOf(program).map((e) => e.dim)])].sort();
}

/** Whether a dim is told by the program itself on its way. */
const isTold = (dim: string): boolean => dim !== "T" && dimNames(dim).some((name) => name !== "S");

const plainSize = (dim: string, tokens: number, positions: number): number =>
  dim === "1" ? 1 : dim === "S" ? tokens : dim === "T" ? positions : bindDim(dim, { S: tokens });

/** Write the sizes that are known before a call into its table. */
export function fillSizes(
  table: Int32Array,
  dims: readonly string[],
  tokens: number,
  positions: number,
): void {
  dims.forEach((dim, i) => (table[i] = isTold(dim) ? 0 : plainSize(dim, tokens, positions)));
}

/** What an extent counts in a call; what is told on the way, all tokens at most. */
export const count = ({ times, dim }: Extent, tokens: number, positions: number): number =>
  times * (isTold(dim) ? tokens : plainSize(dim, tokens, positions));

/**
 * The most that extents count in any call of a program; a share of more tokens may be smaller. Dims are few and asked for often, so
 * each is looked at once.
 */
export function mostOf(
  { maxTokens, mostTold = maxTokens }: CallLimits,
  context: number,
): (extent: Extent) => number {
  const known = new Map<string, number>();
  const ofDim = (dim: string): number => {
    const one = { times: 1, dim };
    if (isTold(dim)) return mostTold;
    if (dim === "1" || dim === "S" || dim === "T") return count(one, maxTokens, context);
    return Math.max(...Array.from({ length: maxTokens }, (_, i) => count(one, i + 1, context)));
  };
  return ({ times, dim }) => {
    const most = known.get(dim) ?? ofDim(dim);
    known.set(dim, most);
    return times * most;
  };
}
