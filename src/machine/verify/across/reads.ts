/** The statements that read tensors which are only read, and what decides where each reads: names and loops, and numbers that the kernel reads itself. */
import { ownNames, type Tensor } from "../../schedule/kernel.ts";
import type { Operation, Prepared, PreparedPart, PreparedRegion, Uses } from "../../schedule/prepare.ts";

/** What stands around a statement or says a name before it. */
export type Step = Exclude<Prepared, Operation>;
type Condition = Extract<Step, { kind: "if" }>;

/** A statement that reads a tensor; what is around and before it, outermost first. */
export type Read = {
  readonly part: PreparedPart;
  readonly tensor: Tensor;
  readonly region: PreparedRegion;
  readonly steps: readonly Step[];
};

/** The statements of a part that read tensors which are only read. */
export const readsOf = (part: PreparedPart): readonly Read[] =>
  readsIn(part.body).map((it) => ({ part, ...it }));

function readsIn(body: readonly Prepared[]): readonly Omit<Read, "part">[] {
  const lets: Step[] = [];
  return body.flatMap((it) => {
    if (it.kind === "let") {
      lets.push(it);
      return [];
    }
    const before = [...lets];
    if (it.kind === "operation") return readBy(it, before);
    return readsIn(it.body).map((of) => ({ ...of, steps: [...before, it, ...of.steps] }));
  });
}

function readBy(
  { stmt, regions: [region] }: Operation,
  steps: readonly Step[],
): readonly Omit<Read, "part">[] {
  const isRead = stmt.kind === "copy" || stmt.kind === "read";
  return isRead && region?.box.kind === "tensor" && region.box.decl.role === "in"
    ? [{ tensor: region.box.decl, region, steps }]
    : [];
}

/** The steps that some slots hang on, some conditions taken along, and the slots that those hang on in turn. */
function deciding(steps: readonly Step[], slots: Uses, conditions: ReadonlySet<Step> = new Set()) {
  const needs = new Set(slots);
  const kept = steps.toReversed().filter((it) => {
    const isNeeded = it.kind === "if" ? conditions.has(it) : needs.delete(it.slot);
    if (isNeeded) it.uses.forEach((slot) => needs.add(slot));
    return isNeeded;
  });
  return { steps: kept.toReversed(), needs };
}

const usesAlong = ({ region: { uses } }: Read, axis: number): Uses => [
  ...(uses.at[axis] ?? []),
  ...(uses.size[axis] ?? []),
];

/** Whether the launch and the core alone decide what some slots hold. */
function areKnown({ part: { known } }: Read, steps: readonly Step[], slots: Uses): boolean {
  const given = new Set(known.values());
  return [...deciding(steps, slots).needs].every((slot) => given.has(slot));
}

/** Whether a statement reads along an axis where no numbers say that the kernel reads itself. */
export const isKnownAlong = (read: Read, axis: number): boolean =>
  areKnown(read, read.steps, usesAlong(read, axis));

/** Axes along which a statement reads whatever it reads along the others, and what decides where. */
export type Factor = {
  readonly axes: readonly number[];
  readonly steps: readonly Step[];
  readonly slots: Uses;
};

/** What differs as a kernel goes on: loops, and which core it is. */
function varying({ part: { known } }: Read, steps: readonly Step[], slots: Uses): ReadonlySet<number> {
  const own = [...known].flatMap(([name, slot]) => (ownNames.has(name) ? [slot] : []));
  const { steps: kept, needs } = deciding(steps, slots);
  const loops = kept.flatMap((it) => (it.kind === "loop" ? [it.slot] : []));
  return new Set([...loops, ...own.filter((slot) => needs.has(slot))]);
}

type Group = {
  readonly axes: readonly number[];
  readonly conditions: readonly Condition[];
  readonly by: ReadonlySet<number>;
};

/**
 * Known axes of a read, those together that the same loops go along or that one condition is about. Where numbers that the kernel reads decide whether it
 * reads at all, it does.
 */
export function factorsOf(read: Read, axes: readonly number[]): readonly Factor[] {
  const { steps } = read;
  const alongAxes = axes.map((axis): Group => ({ axes: [axis], conditions: [], by: varying(read, steps, usesAlong(read, axis)) })); // prettier-ignore
  const conditions = steps.flatMap((it, i): readonly Group[] => {
    const before = steps.slice(0, i);
    if (it.kind !== "if" || !areKnown(read, before, it.uses)) return [];
    return [{ axes: [], conditions: [it], by: varying(read, before, it.uses) }];
  });
  const groups = [...alongAxes, ...conditions].reduce<readonly Group[]>(joining, []);
  return groups
    .filter((it) => it.axes.length > 0)
    .map((it) => {
      const slots = it.axes.flatMap((axis) => usesAlong(read, axis));
      return { axes: it.axes, steps: deciding(steps, slots, new Set(it.conditions)).steps, slots };
    });
}

/** Groups and one more, as one with all those that vary by what it varies by. */
function joining(groups: readonly Group[], next: Group): readonly Group[] {
  const isTied = (it: Group): boolean => [...it.by].some((slot) => next.by.has(slot));
  const tied = [...groups.filter(isTied), next];
  const all: Group = {
    axes: tied.flatMap((it) => it.axes),
    conditions: tied.flatMap((it) => it.conditions),
    by: new Set(tied.flatMap((it) => [...it.by])),
  };
  return [...groups.filter((it) => !isTied(it)), all];
}
