import { expertRow, lanes } from "../../../device/kernels/vector/count-slots.ts";
import type { GroupSpec } from "../../../device/kernels/vector/group-slots.ts";
import { readIndex, writeIndex, type GlobalArray } from "../boxes.ts";
import type { Scope } from "../kernel.ts";
import {
  carrying,
  ceilOver,
  indexValue,
  least,
  loop,
  modulo,
  over,
  plus,
  times,
  when,
  type Carried,
  type Index,
  type Writer,
} from "../writer.ts";

const wholes = (name: string): GlobalArray => ({ name, element: "i32" });

/** Numbers of a core's own, by index. */
function counters(w: Writer, length: number) {
  const type = `memref<${length}xi32>`;
  const name = w.value("counters", `memref.alloc() : ${type}`);
  return {
    read: (at: Index): Index => {
      const held = w.value("held", `memref.load ${name}[${indexValue(w, at)}] : ${type}`);
      return w.value("count", `arith.index_cast ${held} : i32 to index`);
    },
    write: (at: Index, value: Index): void => {
      const kept = w.value("kept", `arith.index_cast ${indexValue(w, value)} : index to i32`);
      w.line(`memref.store ${kept}, ${name}[${indexValue(w, at)}] : ${type}`);
    },
  };
}

/**
 * How many slots of each part of the tokens go to each expert, as `expertRow` has them, by the scalar unit of one core; those of experts elsewhere are not
 * counted.
 */
export function countSlots({ w, core, size }: Scope, spec: GroupSpec, parts: number): void {
  const { runs, width, first } = expertRow(spec);
  const slots = times(w, "slots", size("S"), spec.topK);
  const share = times(w, "share", ceilOver(w, "tokens", size("S"), parts), spec.topK);
  when(w, "eq", core, 0, () => {
    const counts = counters(w, width);
    loop(w, "part", [0, parts, 1], (part) => {
      loop(w, "e", [0, width, 1], (e) => counts.write(e, 0));
      const from = least(w, "from", slots, times(w, "before", part, share));
      const to = least(w, "to", slots, plus(w, "behind", from, share));
      loop(w, "slot", [from, to, 1], (slot) => {
        const expert = readIndex(w, "expert", wholes("indices"), slot);
        when(w, "sge", expert, 0, () => {
          const at = plus(w, "at", expert, first);
          const run = times(w, "run", modulo(w, "in.lane", at, runs), lanes);
          const spot = plus(w, "spot", run, over(w, "lane", at, runs));
          counts.write(spot, plus(w, "more", counts.read(spot), 1));
        });
      });
      const row = times(w, "row", part, width);
      loop(w, "e", [0, width, 1], (e) => writeIndex(w, wholes("counts"), plus(w, "here", row, e), counts.read(e))); // prettier-ignore
    });
  });
}

/**
 * A counting sort of slots by their experts, by the scalar unit of one core, as what scalar units write is not coherent between cores. Slots of experts
 * elsewhere, -1, are before all groups, and get no place.
 */
export function groupSlots({ w, core, size }: Scope, { experts, topK, partial }: GroupSpec): void {
  const slots = times(w, "slots", size("S"), topK);
  when(w, "eq", core, 0, () => {
    const counts = counters(w, experts);
    const eachSlot = (body: (slot: Index, expert: Index) => void): void =>
      loop(w, "slot", [0, slots, 1], (slot) => {
        const expert = readIndex(w, "expert", wholes("indices"), slot);
        if (partial) when(w, "sge", expert, 0, () => body(slot, expert));
        else body(slot, expert);
      });
    loop(w, "e", [0, experts, 1], (e) => counts.write(e, 0));
    eachSlot((_, expert) => counts.write(expert, plus(w, "more", counts.read(expert), 1)));
    // Counts become where groups begin: behind those of experts elsewhere, which are all that was not counted.
    const none: Carried = { name: indexValue(w, 0), type: "index" };
    const [counted = none] = carrying(w, "e", [0, experts, 1], [none], (e, [sum = none]) => [
      { name: indexValue(w, plus(w, "counted", sum.name, counts.read(e))), type: "index" },
    ]);
    const elsewhere = w.value("elsewhere", `arith.subi ${indexValue(w, slots)}, ${counted.name} : index`);
    const first: Carried = { name: elsewhere, type: "index" };
    carrying(w, "e", [0, experts, 1], [first], (e, [begin = first]) => {
      const behind = plus(w, "behind", begin.name, counts.read(e));
      counts.write(e, begin.name);
      writeIndex(w, wholes("offsets"), e, begin.name);
      return [{ name: indexValue(w, behind), type: "index" }];
    });
    writeIndex(w, wholes("offsets"), experts, slots);
    eachSlot((slot, expert) => {
      const place = counts.read(expert);
      counts.write(expert, plus(w, "next", place, 1));
      writeIndex(w, wholes("place"), slot, place);
    });
  });
}
