/** What `read`s of kernels find where there is no data. */
import { compileExpr } from "../../machine/schedule/expr.ts";
import type { Kernel } from "../../machine/schedule/kernel.ts";
import type { Choices } from "./device.ts";
import type { Reader } from "../../machine/simulate/outline.ts";

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
 * Even work: a running sum `offsets` [n + 1] over n experts counts the same for each, up to the S rows of the launch; all else is 0. Where
 * only some of each row's choices are of experts here, the first of them are, and all others stand before the experts' groups.
 */
export function evenReader(kernel: Kernel, sizes: Sizes, choices?: Choices): Reader {
  const experts = Math.max(1, rowsOf(kernel, sizes)("offsets") - 1);
  const rows = sizes.get("S") ?? 1;
  const { here, of } = choices ?? { here: 1, of: 1 };
  const first = rows * (1 - here / of);
  return (box, at) => {
    const last = at.at(-1) ?? 0;
    if (box === "offsets") return Math.round(first + (last * (rows - first)) / experts);
    // Places before the first group are those of choices elsewhere.
    return here < of && (box === "start" || (box === "near" && last % of < here)) ? 1 : 0;
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
      case "offsets":
        return Math.min(rows, each * (at.at(-1) ?? 0));
      default:
        return 0;
    }
  };
}
