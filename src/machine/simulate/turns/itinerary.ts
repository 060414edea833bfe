/** Which turns of a loop tell how long others take. */
import type { Form } from "./forms.ts";

/** What a turn takes: shares of what turns of these forms take, which sum to 1; how many turns of its own form stand before it, and how long it is. */
export type Likeness = {
  readonly of: readonly { readonly key: string; readonly share: number }[];
  readonly before: number;
  /** Instructions that it issues. */
  readonly instructions: number;
};

export const keyOf = ({ shape, rounds }: Form): string => `${shape} ${rounds.join()}`;

/** Forms of one shape that are walked through, those between them being reckoned: with few rounds pipelines are still filling. */
const landmarks = [0, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1];

/** What each turn is like: of its own form only, or between two. The last, which is always walked through, has none. */
export function itineraryOf(forms: readonly Form[]): readonly Likeness[] {
  const between = betweenOthers(forms.slice(0, -1));
  const times = new Map<string, number>();
  return forms.slice(0, -1).map((form) => {
    const key = keyOf(form);
    const before = times.get(key) ?? 0;
    times.set(key, before + 1);
    return { of: between.get(key) ?? [{ key, share: 1 }], before, instructions: form.instructions };
  });
}

const sizeOf = ({ rounds }: Form): number => rounds.reduce((n, it) => n + it, 0);

/** Of each form that lies between two others of its shape, how near it is to each. */
function betweenOthers(forms: readonly Form[]): ReadonlyMap<string, Likeness["of"]> {
  const shapes = Map.groupBy(new Map(forms.map((it) => [keyOf(it), it])).values(), (it) => it.shape);
  const found = new Map<string, Likeness["of"]>();
  for (const alike of shapes.values()) {
    const sorted = alike.toSorted((a, b) => sizeOf(a) - sizeOf(b));
    const kept = [...new Set(landmarks.map((it) => Math.round(it * (sorted.length - 1))))];
    sorted.forEach((form, i) => {
      const [less, more] = [sorted[kept.findLast((at) => at < i) ?? -1], sorted[kept.find((at) => at > i) ?? -1]]; // prettier-ignore
      const share = less && more && !kept.includes(i) ? shareBetween(less, more, form) : undefined;
      if (less && more && share !== undefined) found.set(keyOf(form), [{ key: keyOf(less), share: 1 - share }, { key: keyOf(more), share }]); // prettier-ignore
    });
  }
  return found;
}

/** How far a form is on the way from one to another; undefined where it is not on it. */
function shareBetween(less: Form, more: Form, form: Form): number | undefined {
  const way = sizeOf(more) - sizeOf(less);
  const share = way > 0 ? (sizeOf(form) - sizeOf(less)) / way : 0;
  const isOnIt = form.rounds.every((n, i) => {
    const [from = 0, to = 0] = [less.rounds[i], more.rounds[i]];
    return Math.abs(from + share * (to - from) - n) < 1e-6;
  });
  return isOnIt ? share : undefined;
}
