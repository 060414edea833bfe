import { copiesOver } from "./copies.ts";

/** A copy of an expert: a member of the group and its slot there. */
export type Holder = { readonly member: number; readonly slot: number };

/** The copy that row `row` of member `self` goes to for each of its experts; undefined for what is no expert. */
export type Destinations = (
  experts: ArrayLike<number>,
  self: number,
  row: number,
) => readonly (Holder | undefined)[];

/** Where dispatches send rows, member `i` having in its slots 0, 1, … the experts held[starts[i]..starts[i+1]]. */
export function destinationsOf(held: readonly number[], starts: readonly number[]): Destinations {
  const members = starts.length - 1;
  const experts = held.reduce((most, it) => Math.max(most, it + 1), 0);
  /** The slots of an expert at each member that holds it. */
  const slots = Array.from({ length: experts }, () => new Map<number, number[]>());
  for (let member = 0; member < members; member++)
    for (let i = starts[member] ?? 0; i < (starts[member + 1] ?? 0); i++) {
      const at = slots[held[i] ?? -1];
      at?.set(member, [...(at.get(member) ?? []), i - (starts[member] ?? 0)]);
    }
  const copies = copiesOver(experts, members);
  slots.forEach((at, expert) => copies.locate(expert, [...at.keys()]));
  return (list, self, row) => {
    const chosen = new Int32Array(list.length);
    copies.choose(list, self, self + row, chosen);
    return Array.from(chosen, (member, j) => {
      const own = slots[list[j] ?? -1]?.get(member);
      return own && { member, slot: own[row % own.length] ?? 0 };
    });
  };
}
