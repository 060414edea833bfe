/** What cores of a group bring into the chip's cache for others, which await that: these find it there. */
import type { Operation, Prepared, PreparedPart } from "../../schedule/prepare.ts";
import { tensorOf } from "./names.ts";

/** By signal, the tensors that are read from memory before it, wherever it is given: what stands before it in its body. */
export type Brought = ReadonlyMap<string, ReadonlySet<string>>;

const channel = (from: string, to: string, id: number): string => `${from} ${to} #${id}`;

/** What the parts of a kernel bring, by the signals that they give of it. */
export function broughtIn(parts: readonly PreparedPart[]): Brought {
  const brought = new Map<string, Set<string>>();
  const visit = (core: string, body: readonly Prepared[]): void => {
    const read = new Map<string, string[]>();
    for (const it of body) {
      if (it.kind === "let") continue;
      if (it.kind !== "operation") {
        visit(core, it.body);
        continue;
      }
      const tensor = tensorOf(it);
      if (tensor !== undefined) read.set(it.engine, [...(read.get(it.engine) ?? []), tensor]);
      if (it.stmt.kind !== "signal") continue;
      const key = channel(core, it.stmt.core, it.stmt.id);
      const here = new Set(read.get(it.engine));
      const elsewhere = brought.get(key) ?? here;
      brought.set(key, new Set([...here].filter((tensor) => elsewhere.has(tensor))));
    }
  };
  for (const { core, body } of parts) visit(core, body);
  return brought;
}

/** Whether a copy's engine has awaited, among what stands before it in its body, what others bring of the tensor that it reads. What they do not bring is missed. */
export const isBrought = (
  core: string,
  copy: Operation,
  before: readonly Prepared[],
  brought: Brought,
): boolean =>
  before.some((it) => {
    if (it.kind === "if") return isBrought(core, copy, it.body, brought);
    if (it.kind !== "operation" || it.stmt.kind !== "await" || it.engine !== copy.engine) return false;
    return brought.get(channel(it.stmt.core, core, it.stmt.id))?.has(tensorOf(copy) ?? "") === true;
  });
