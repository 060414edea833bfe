/** What `read`s of kernels find where there is no data. */
import { compileExpr } from "../../machine/schedule/expr.ts";
import type { Kernel } from "../../machine/schedule/kernel.ts";
import type { Choices } from "./device.ts";
import type { Reader } from "../../machine/simulate/outline.ts";
import { blockHeight, blockReader, evenOffsets } from "./row-blocks.ts";

type Sizes = ReadonlyMap<string, number>;

/** The first axis of a kernel's tensor in a launch. */
function rowsOf({ tensors }: Kernel, sizes: Sizes): (tensor: string) => number {
  const names = [...sizes.keys()];
  const env = [...sizes.values()];
  return (tensor) => {
    const [first] = tensors.find((it) => it.name === tensor)?.dims ?? [];
    return first ? compileExpr(first, (name) => names.indexOf(name))(env) : 0;
  };
}

/**
 * Even work: of the S rows of the launch each expert has as many, in blocks as they are listed; all else is 0. Where only some of each row's
 * choices are of experts here, the first of them are, and all others stand before the experts' groups.
 */
export function evenReader(kernel: Kernel, sizes: Sizes, choices?: Choices): Reader {
  const experts = Math.max(1, rowsOf(kernel, sizes)("offsets") - 1);
  const rows = sizes.get("S") ?? 1;
  const { here, of } = choices ?? { here: 1, of: 1 };
  const offsets = evenOffsets(experts, rows, rows * (1 - here / of));
  const product = blockReader(offsets, blockHeight(kernel) ?? rows);
  return (box, at) => {
    const last = at.at(-1) ?? 0;
    // Places before the first group are those of choices elsewhere.
    if (here < of && (box === "start" || (box === "near" && last % of < here))) return 1;
    // What is listed of each expert, by the kernel that lists blocks.
    return box.startsWith("listed") ? 1 : product(box, at);
  };
}

/** Slots of one expert that a sort is taken to find at a time: more than it handles in one turn. */
const foundAtOnce = 70;

/**
 * What verifiers assume: the first experts have rows, however few there are. Each slot has a place of its own, as no two may meet: what lies in
 * `place` is its own number, and a sort that looks for the slots of one expert after another finds each once.
 */
export function distinctReader(kernel: Kernel, sizes: Sizes): Reader {
  const sizeOf = rowsOf(kernel, sizes);
  const slots = sizeOf("place");
  const rows = sizes.get("S") ?? 1;
  const each = Math.ceil(rows / Math.max(1, sizeOf("offsets") - 1));
  let [first, behind] = [0, 0];
  const listed = new Map<string, number>();
  const offsets = Array.from({ length: Math.max(1, sizeOf("offsets")) }, (_, e) => Math.min(rows, each * e));
  const product = blockReader(offsets, blockHeight(kernel) ?? rows);
  return (box, at) => {
    switch (box) {
      case "place":
        return at.at(-1) ?? 0;
      case "next":
        return behind;
      case "found":
        [first, behind] = [behind, Math.min(slots, behind + foundAtOnce)];
        return behind - first;
      case "slots":
        return first + (at.at(-1) ?? 0);
      // Maxima of attention rise, so that what is done then is followed too.
      case "rises":
        return 1;
      default:
        // Each expert has a block in every list, which several cores write one behind the other.
        if (box.startsWith("listed")) return 1;
        if (!box.startsWith("through")) return product(box, at);
        listed.set(box, (listed.get(box) ?? 0) + 1);
        return listed.get(box) ?? 0;
    }
  };
}
