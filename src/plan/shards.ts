import { layoutSafetensors } from "../tensor/safetensors-file.ts";
import { storedForm } from "./stored-weight.ts";
import type { WeightRequest } from "./weights.ts";

/** One safetensors file of a plan's weights. */
export type Shard = {
  readonly file: string;
  readonly header: Uint8Array;
  /** In the order in which they follow the header. */
  readonly weights: readonly { readonly weight: WeightRequest; readonly bytes: number }[];
  readonly bytes: number;
};

const smallest = 4 * 2 ** 20;
const largest = 4 * 2 ** 30;
/** About how many files a plan's weights make, so that many threads can each write one of its own. */
const wanted = 64;

const sum = (numbers: readonly number[]): number => numbers.reduce((n, x) => n + x, 0);

/** Spread weights over files, in order. The same weights make the same files, however many threads write them. */
export function shardWeights(weights: readonly WeightRequest[]): readonly Shard[] {
  const forms = weights.map((weight) => ({ weight, name: weight.name, ...storedForm(weight) }));
  const limit = Math.min(largest, Math.max(smallest, sum(forms.map((f) => f.bytes)) / wanted));
  const groups: (typeof forms)[] = [];
  let room = 0;
  for (const form of forms) {
    const last = groups.at(-1);
    if (last && form.bytes <= room) last.push(form);
    else {
      groups.push([form]);
      room = limit;
    }
    room -= form.bytes;
  }
  const number = (i: number): string => String(i).padStart(5, "0");
  return groups.map((group, i) => ({
    file: `weights-${number(i + 1)}-of-${number(groups.length)}.safetensors`,
    header: layoutSafetensors(group).header,
    weights: group.map(({ weight, bytes }) => ({ weight, bytes })),
    bytes: sum(group.map((f) => f.bytes)),
  }));
}
