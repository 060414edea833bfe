import { fail } from "../../support/diagnostics.ts";
import type { DType } from "../../tensor/dtype.ts";
import type { Profile } from "../profile.ts";
import { coresIn, coresOf, prepareParts, runCores, type Core } from "../schedule/cores.ts";
import { constantOf, type Expr } from "../schedule/expr.ts";
import type { PreparedPart } from "../schedule/prepare.ts";
import type { Kernel } from "../schedule/kernel.ts";
import type { Instruction, Place } from "../schedule/walk.ts";
import { rowMajor, transposed, valuesFor, viewOf, type Bound, type Values, type View } from "./memory.ts";
import { accumulate, copy, matmul, vector } from "./operate.ts";

/** What a launch is given: sizes by name, tensors by name. */
export type Launch = {
  readonly sizes: ReadonlyMap<string, number>;
  readonly tensors: ReadonlyMap<string, Bound>;
};

/** A kernel ready to be carried out many times. */
export type Executable = (launch: Launch) => void;

/** The room of one core: each buffer's copies, by their order in the part. */
type Room = readonly (readonly Values[])[];

const roomFor = ({ buffers }: PreparedPart): Room =>
  buffers.map(({ decl }) =>
    Array.from({ length: decl.copies }, () => valuesFor(decl.dtype, decl.rows * decl.cols)),
  );

/**
 * Make a kernel ready to be carried out on data, group after group, each in the order of its text: flags only order engines that this
 * does not run apart. All groups and launches use one group's room, as no legal schedule reads what it has not written. Throws `schedule/deadlock`.
 */
export function executable(kernel: Kernel, profile: Profile): Executable {
  const parts = prepareParts(kernel, profile);
  const rooms = parts.map((part) => Array.from({ length: coresOf(profile, part.core) }, () => roomFor(part)));
  const roomOf = ({ part, index }: Core): Room => rooms[parts.indexOf(part)]?.[index] ?? [];
  return ({ sizes, tensors }) => {
    const shared = sharedTensors(kernel, sizes);
    const bound = (of: string): Bound =>
      tensors.get(of) ?? shared.get(of) ?? fail("schedule/unknown-name", undefined, kernel.name, of);
    for (let group = 0; group < profile.groups.value; group++)
      runCores(kernel, profile, coresIn(parts, profile, sizes, group), {
        turn: () => 0,
        signal: () => undefined,
        take: () => {},
        instruction: (core, it) => carryOut(it, viewIn(bound, roomOf(core))),
      });
  };
}

/** Scratch through which the cores of a group pass tiles; its dims are numbers or sizes of the launch. */
function sharedTensors(kernel: Kernel, sizes: ReadonlyMap<string, number>): ReadonlyMap<string, Bound> {
  const sizeOf = (e: Expr): number => constantOf(e) ?? (e.kind === "name" ? (sizes.get(e.name) ?? 0) : 0);
  return new Map(
    kernel.tensors
      .filter((it) => it.role === "shared")
      .map(({ name, dtype, dims }) => {
        const extents = dims.map(sizeOf);
        const values = valuesFor(
          dtype,
          extents.reduce((n, d) => n * d, 1),
        );
        return [name, { values, offset: 0, strides: rowMajor(extents) }];
      }),
  );
}

/** How places become views of the arrays that one core sees. */
const viewIn =
  (bound: (of: string) => Bound, buffers: readonly (readonly Values[])[]) =>
  (place: Place | undefined): View => {
    if (!place) throw new Error("an operand is absent");
    const { box, copy: turn } = place;
    if (box.kind === "tensor") return viewOf(bound(box.decl.name), place);
    const values = buffers[box.index]?.[turn];
    if (!values) throw new Error(`${box.decl.name} has no copy ${turn}`);
    return viewOf({ values, offset: 0, strides: [box.decl.cols, 1] }, place);
  };

function carryOut(
  { operation: { stmt }, places, values }: Instruction,
  view: (place: Place | undefined) => View,
): number | undefined {
  const dtype = (place: Place | undefined): DType => place?.box.decl.dtype ?? "f32";
  const [first, second, third] = places;
  switch (stmt.kind) {
    case "copy": {
      const from = stmt.transpose ? transposed(view(first)) : view(first);
      if (stmt.add) accumulate(from, view(second), dtype(second));
      else copy(from, view(second), { from: dtype(first), to: dtype(second) });
      return undefined;
    }
    case "matmul":
      matmul(view(first), view(second), view(third), values[0] !== 0);
      return undefined;
    case "vector": {
      const to = places.at(-1);
      vector(stmt.op, places.slice(0, -1).map(view), view(to), values, dtype(to));
      return undefined;
    }
    case "read": {
      const { values: array, starts } = view(first);
      return array[starts[0] ?? 0];
    }
    default:
      return undefined;
  }
}
