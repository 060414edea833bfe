/** What of a part decides where its cores touch tensors: the rest of its work stays within a core, and need not be walked through to know that. */
import type { Tensor } from "../../schedule/kernel.ts";
import type { Operation, Prepared, PreparedPart } from "../../schedule/prepare.ts";
import { operations } from "../operations.ts";

/** Whether groups see what others write of a tensor: nobody writes what is only read, and scratch is a group's own. */
export const isSeen = (role: Tensor["role"]): boolean => role === "out" || role === "inout";

/** The part without what neither touches a tensor that is not only read, nor is read by the scalar unit, nor brings it what it reads. */
export function outward(part: PreparedPart): PreparedPart {
  const all = operations(part.body);
  const asked = new Set(
    all.filter((it) => it.stmt.kind === "read").flatMap((it) => it.regions.map(({ box }) => box)),
  );
  const isKept = ({ stmt, regions }: Operation): boolean =>
    stmt.kind === "read" ||
    (stmt.kind === "copy" &&
      regions.some(({ box }) => (box.kind === "buffer" ? asked.has(box) : isSeen(box.decl.role))));
  const keep = (body: readonly Prepared[]): readonly Prepared[] =>
    body.flatMap((it): readonly Prepared[] => {
      if (it.kind === "operation") return isKept(it) ? [it] : [];
      if (it.kind === "let") return [it];
      const inner = keep(it.body);
      return inner.some((of) => of.kind !== "let") ? [{ ...it, body: inner }] : [];
    });
  return { ...part, body: keep(part.body) };
}
