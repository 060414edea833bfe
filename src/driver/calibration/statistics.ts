import { addRows, noMoments, type Moments } from "../../quant/moments.ts";
import type { Tap } from "../../quant/taps.ts";
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

/** Add the rows of one call. What an expert gives is weighed by its share of the answer, so its rows are too. */
export function see(seen: Seen, tap: Tap, names: TapNames, given: Activations, tokens: number): void {
  const x = floatsOf(given, names.x);
  if (tap.kind === "dense") {
    const stride = x.length / tokens;
    const rows = Array.from({ length: tokens }, (_, i) => i);
    return addRows(seen.all, x, stride, rows, () => 1);
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
    addRows(moments, x, stride, rows, (i) => (shares[own[i] ?? 0] ?? 0) ** 2);
  });
}

/** The moments of a layer's experts together. */
export function together({ all, experts }: Seen): Moments {
  if (experts.length === 0) return all;
  const sum = noMoments(all.width);
  for (const it of experts) {
    for (let i = 0; i < sum.sum.length; i++) sum.sum[i] = (sum.sum[i] ?? 0) + (it.sum[i] ?? 0);
    sum.tokens += it.tokens;
  }
  return sum;
}

function floatsOf(given: Activations, name: string): Float32Array {
  const values = given.get(name);
  if (!(values instanceof Float32Array)) throw new Error(`${name} is not an activation`);
  return values;
}
