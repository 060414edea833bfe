/** What `read`s of kernels find where there is no data. */
import { compileExpr } from "../../machine/schedule/expr.ts";
import { statements, type BufferStmt, type Kernel } from "../../machine/schedule/kernel.ts";
import type { Choices } from "./device.ts";
import type { Reader } from "../../machine/simulate/reader.ts";
import type { Trial } from "../../machine/verify/verify.ts";
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

/** Places from one slot of a token to its next; a prime, so that all are met. */
const stride = 7919;

/**
 * Even work: of the S rows of the launch each expert has as many, in blocks as they are listed; all else is 0. Where only some of each row's
 * choices are of experts here, the first of them are.
 */
export function evenReader(kernel: Kernel, sizes: Sizes, choices?: Choices): Reader {
  const sizeOf = rowsOf(kernel, sizes);
  const experts = Math.max(1, sizeOf("offsets") - 1);
  const rows = sizes.get("S") ?? 1;
  const { here, of } = choices ?? { here: 1, of: 1 };
  const offsets = evenOffsets(experts, rows, rows * (1 - here / of));
  const product = blockReader(offsets, blockHeight(kernel) ?? rows);
  const found = Math.ceil((Math.min(sizeOf("place"), bufferOf(kernel, "kin")?.cols ?? 0) * here) / of / experts); // prettier-ignore
  let placed = 0;
  return (box, at) => {
    switch (box) {
      // The slots of a token lie far from one another.
      case "near":
        return (placed += stride) % Math.max(1, sizeOf("place"));
      case "expert":
        return (at.at(-1) ?? 0) % of < here ? 0 : -1;
      // What a sort finds of one expert, and of all that a core looks for.
      case "found":
        return found;
      case "within":
        return found * (bufferOf(kernel, "begins")?.rows ?? 1);
      default:
        // Of each expert a block is listed.
        return box.startsWith("listed") ? 1 : product(box, at);
    }
  };
}

const bufferOf = ({ parts }: Kernel, name: string): BufferStmt | undefined =>
  parts
    .flatMap((it) => statements(it.body))
    .filter((it) => it.kind === "buffer")
    .find((it) => it.name === name);

/** Slots of one expert that a sort is taken to find at a time: more than it handles in one turn. */
const foundAtOnce = 70;

/**
 * A launch of some sizes as verifiers look at it. The numbers that they assume make whole all that is written where numbers say, but for what a kernel
 * writes by what it has found itself: the places of a sort, of which a part is found, and lists of blocks, which have room for more.
 */
export const distinctTrial = (kernel: Kernel, sizes: Sizes): Trial => ({
  sizes,
  reader: (own) => distinctReader(kernel, own),
  fills: (tensor) => tensor !== "place" && !tensor.startsWith("blocks"),
});

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
      case "within":
        return Math.min(slots, foundAtOnce);
      case "kin":
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
