/** What `read`s find: numbers of tensors, also where a copy has brought them into a buffer. */
import type { Core } from "../schedule/cores.ts";
import type { Instruction, Place } from "../schedule/walk.ts";
import type { Reader } from "../simulate/reader.ts";

type Brought = { readonly from: Place; readonly to: Place };

/** Follows the copies of a run; to a `read`, the number that `reader` has there. */
export function numbersRead(reader: Reader): (core: Core, it: Instruction) => number | undefined {
  const brought = new Map<Core, Map<string, Brought>>();
  const keyOf = ({ box, copy }: Place): string => `${box.index} ${copy}`;
  const readAt = (core: Core, place: Place): number => {
    const source = place.box.kind === "buffer" ? brought.get(core)?.get(keyOf(place)) : undefined;
    if (!source) return reader(place.box.decl.name, place.at);
    const { from, to } = source;
    const further = (place.at.at(-1) ?? 0) - (to.at.at(-1) ?? 0);
    return reader(from.box.decl.name, [...from.at.slice(0, -1), (from.at.at(-1) ?? 0) + further]);
  };
  return (core, it) => {
    const { stmt } = it.operation;
    const [from, to] = it.places;
    if (stmt.kind === "read" && from) return readAt(core, from);
    if (stmt.kind !== "copy" || from?.box.kind !== "tensor" || to?.box.kind !== "buffer") return undefined;
    const own = brought.get(core) ?? new Map<string, Brought>();
    brought.set(core, own.set(keyOf(to), { from, to }));
    return undefined;
  };
}
