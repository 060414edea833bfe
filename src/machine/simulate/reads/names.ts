/** What names the copies of a body read: tensors, and the names that tell where, with the statements that give these their numbers. */
import type { Env } from "../../schedule/expr.ts";
import type { Operation, Prepared, Uses } from "../../schedule/prepare.ts";
import type { Reader } from "../reader.ts";

/** What gives a name its number: a `let` or a `read`. */
export type Said = Operation | Extract<Prepared, { kind: "let" }>;

export const isSaying = (it: Prepared): it is Said =>
  it.kind === "let" || (it.kind === "operation" && it.stmt.kind === "read");

/** The slots that tell what an operation reads first. */
export const readUses = ({ regions: [source] }: Operation): Uses =>
  source ? [...source.uses.at, ...source.uses.size].flat() : [];

/** The tensor that a copy reads; scratch does not leave the cache. */
export function tensorOf({ stmt, regions: [source] }: Operation): string | undefined {
  const isOfMemory =
    stmt.kind === "copy" && source?.box.kind === "tensor" && source.box.decl.role !== "shared";
  return isOfMemory ? source.box.decl.name : undefined;
}

export const usesOf = (it: Said): Uses => (it.kind === "let" ? it.uses : readUses(it));

/** Those statements of a body that say what is needed, and all that is needed with them. */
export function said(
  body: readonly Prepared[],
  needs: ReadonlySet<number>,
): { readonly steps: readonly Said[]; readonly needs: ReadonlySet<number> } {
  const all = new Set(needs);
  const steps: Said[] = [];
  for (const it of body.toReversed()) {
    if (!isSaying(it) || !all.has(it.slot)) continue;
    steps.unshift(it);
    for (const slot of usesOf(it)) all.add(slot);
  }
  return { steps, needs: all };
}

/** Give a name its number. */
export function say(it: Said, env: Env, reader: Reader): void {
  if (it.kind === "let") env[it.slot] = it.value(env);
  else {
    const [region] = it.regions;
    env[it.slot] = region ? reader(region.box.decl.name, region.at(env)) : 0;
  }
}

/** What is found in an environment, worked out once for equal numbers in these slots. */
export function remembering<T>(slots: Uses, look: (env: Env) => T): (env: Env) => T {
  const known = new Map<number, { readonly inputs: readonly number[]; readonly found: T }>();
  return (env) => {
    const key = hashOf(slots, env);
    const before = known.get(key);
    if (before && slots.every((slot, i) => before.inputs[i] === env[slot])) return before.found;
    const inputs = slots.map((slot) => env[slot] ?? 0);
    const found = look(env);
    known.set(key, { inputs, found });
    return found;
  };
}

/** By Fowler, Noll and Vo, of whole numbers for bytes. */
function hashOf(slots: Uses, env: Env): number {
  let hash = 0x811c9dc5 | 0;
  for (const slot of slots) hash = Math.imul(hash ^ (env[slot] ?? 0), 0x01000193);
  return hash;
}
