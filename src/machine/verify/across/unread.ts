/** What a kernel takes is read whole: what no core of a launch reads of a tensor is a part of its work that it does not do. */
import { diag, type Diagnostic } from "../../../support/diagnostics.ts";
import type { Profile } from "../../profile.ts";
import { beginnings, coresAt, type Core } from "../../schedule/cores.ts";
import type { Kernel } from "../../schedule/kernel.ts";
import type { PreparedPart } from "../../schedule/prepare.ts";
import { textOf, volume, type Extent } from "../boxes.ts";
import type { Trial } from "../verify.ts";
import { boxesRead } from "./boxes-read.ts";
import { dimsOf } from "./dims.ts";
import { firstGap } from "./gaps.ts";
import { isSeen } from "./outward.ts";
import { isKnownAlong, readsOf } from "./reads.ts";

/**
 * The first box of each tensor that is only read which nobody reads. Along axes on which numbers that the kernel reads say where, as rows of experts and
 * of tables, nothing is known; along the others, what is read of any place there must be all. A launch that has nothing to give need not read.
 */
export function unreadFaults(
  kernel: Kernel,
  parts: readonly PreparedPart[],
  profile: Profile,
  { sizes }: Trial,
): readonly Diagnostic[] {
  const results = kernel.tensors.filter(({ role }) => isSeen(role));
  if (results.every((it) => volume(dimsOf(it, sizes)) === 0)) return [];
  const launched = parts.map((part) => ({ reads: readsOf(part), cores: allCores(part, profile, sizes) }));
  return kernel.tensors.flatMap((tensor) => {
    const dims = dimsOf(tensor, sizes);
    if (tensor.role !== "in" || volume(dims) === 0) return [];
    const own = launched.flatMap(({ reads, cores }) => reads.filter((it) => it.tensor === tensor).map((read) => ({ read, cores }))); // prettier-ignore
    const axes = [...dims.keys()].filter((axis) => own.every(({ read }) => isKnownAlong(read, axis)));
    const boxes = own.flatMap(({ read, cores }) => boxesRead(read, axes, cores));
    const gap = firstGap(axes.map((axis) => dims[axis] ?? 0), boxes); // prettier-ignore
    return gap ? [diag("schedule/unread", undefined, kernel.name, textOf(tensor.name, across(dims, axes, gap)))] : []; // prettier-ignore
  });
}

const allCores = (part: PreparedPart, profile: Profile, sizes: Trial["sizes"]): readonly Core[] => {
  const all = beginnings([part], profile, sizes);
  return Array.from({ length: profile.groups.value }, (_, group) => coresAt(all, group)).flat();
};

/** A box along some axes of an array as one of all, whole along the others. */
function across(dims: readonly number[], axes: readonly number[], { at, size }: Extent): Extent {
  const along = (of: readonly number[], other: (axis: number) => number): readonly number[] =>
    dims.map((_, axis) => (axes.includes(axis) ? (of[axes.indexOf(axis)] ?? 0) : other(axis)));
  return { at: along(at, () => 0), size: along(size, (axis) => dims[axis] ?? 0) };
}
