/** Tensors that numbers which a kernel reads decide where to write, or whether: rows of experts, and lists. */
import type { Operation, Prepared, PreparedPart, Uses } from "../../schedule/prepare.ts";

/** The names of tensors that some copy of a part writes where, or as often as, numbers say that it reads. */
export function writtenByNumber(part: PreparedPart): readonly string[] {
  const read = new Set<number>();
  const found: string[] = [];
  const isRead = (uses: Uses): boolean => uses.some((slot) => read.has(slot));
  const isPlaced = ({ regions }: Operation): boolean => regions.some(({ uses }) => [...uses.at, ...uses.size].some(isRead)); // prettier-ignore
  const visit = (body: readonly Prepared[], isDecided: boolean): void => {
    for (const it of body)
      switch (it.kind) {
        case "let":
          if (isRead(it.uses)) read.add(it.slot);
          break;
        case "if":
          visit(it.body, isDecided || isRead(it.uses));
          break;
        case "loop": {
          const isCounted = isRead(it.uses);
          if (isCounted) read.add(it.slot);
          visit(it.body, isDecided || isCounted);
          break;
        }
        case "operation": {
          if (it.slot >= 0) read.add(it.slot);
          const box = it.stmt.kind === "copy" ? it.regions.at(-1)?.box : undefined;
          if (box?.kind === "tensor" && (isDecided || isPlaced(it))) found.push(box.decl.name);
        }
      }
  };
  visit(part.body, false);
  return found;
}
