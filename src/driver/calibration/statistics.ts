import type { Value } from "../../ir/graph.ts";
import { addRows, noMoments, sumOf, type Moments } from "../../quant/moments.ts";
import type { Products } from "../../quant/products.ts";
import type { Tap } from "../../quant/segments/taps.ts";
import type { Activations } from "./segment-code.ts";

/** What a tap has seen: moments of all rows, and for experts those of each. */
export type Seen = { readonly all: Moments; readonly experts: readonly Moments[] };

/** Where the activations of a tap stand among a segment's results. */
export type TapNames = { readonly x: string; readonly indices?: string; readonly shares?: string };

export function nothingSeen(tap: Tap): Seen {
  const dims = tap.weight.type.dims.map(Number);
  const width = dims.at(-1) ?? 1;
  return {
    all: noMoments(width),
    experts: tap.kind === "routed" ? Array.from({ length: dims[0] ?? 1 }, () => noMoments(width)) : [],
  };
}

/** What each tap sees; those of one activation share it. */
export function seenByInput(taps: readonly Tap[]): readonly Seen[] {
  const dense = new Map<Value, Seen>();
  return taps.map((tap) => {
    const seen = (tap.kind === "dense" && dense.get(tap.x)) || nothingSeen(tap);
    if (tap.kind === "dense") dense.set(tap.x, seen);
    return seen;
  });
}

/** Add the rows of one call. What an expert gives is weighed by its share of the answer, so its rows are too. */
export function see(
  seen: Seen,
  tap: Tap,
  names: TapNames,
  given: Activations,
  tokens: number,
  products: Products,
): void {
  const x = floatsOf(given, names.x);
  if (tap.kind === "dense") {
    const stride = x.length / tokens;
    const rows = Array.from({ length: tokens }, (_, i) => i);
    return addRows(seen.all, x, stride, rows, () => 1, products);
  }
  const indices = given.get(names.indices ?? "") ?? [];
  const shares = given.get(names.shares ?? "") ?? [];
  const k = indices.length / tokens;
  const isPerChoice = tap.x.type.dims.length === 3;
  const stride = x.length / (isPerChoice ? indices.length : tokens);
  const slots: number[][] = seen.experts.map(() => []);
  for (let slot = 0; slot < indices.length; slot++) slots[indices[slot] ?? 0]?.push(slot);
  seen.experts.forEach((moments, e) => {
    const own = slots[e] ?? [];
    const rows = own.map((slot) => (isPerChoice ? slot : Math.floor(slot / k)));
    addRows(moments, x, stride, rows, (i) => (shares[own[i] ?? 0] ?? 0) ** 2, products);
  });
}

/** The moments of a layer's experts together. */
export const together = ({ all, experts }: Seen): Moments => (experts.length === 0 ? all : sumOf(experts));

function floatsOf(given: Activations, name: string): Float32Array {
  const values = given.get(name);
  if (!(values instanceof Float32Array)) throw new Error(`${name} is not an activation`);
  return values;
}
