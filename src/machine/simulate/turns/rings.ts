/** Flags and signals that turns of a loop take one after the other: how they stand is told from the turn that the loop is in. */
import type { Profile } from "../../profile.ts";
import { coresOf, signalName, type Core } from "../../schedule/cores.ts";
import type { Operation, Prepared } from "../../schedule/prepare.ts";
import type { Clock } from "../clock.ts";

export type Ring = {
  /** The core whose flags they are, or which gives the signals. */
  readonly core: Core;
  readonly kind: "flags" | "signals";
  readonly names: readonly string[];
  /** The slot of the turns that the loop has had. */
  readonly turn: number;
  /** Those of all loops in which one of them is set or awaited. */
  readonly loops: ReadonlySet<number>;
};

type Own = Omit<Ring, "loops">;

/** All that is set or given in a kernel by these cores. */
export const ringsOf = (cores: readonly Core[], profile: Profile): readonly Ring[] =>
  cores.flatMap((core) => together(operationsIn(core.part.body).flatMap((it) => ringsIn(core, it, profile))));

const operationsIn = (body: readonly Prepared[]): readonly Operation[] =>
  body.flatMap((it) => (it.kind === "operation" ? [it] : it.kind === "let" ? [] : operationsIn(it.body)));

function ringsIn(core: Core, { stmt, names, turn }: Operation, profile: Profile): readonly Own[] {
  if (stmt.kind === "set" || stmt.kind === "wait") return [{ core, kind: "flags", names, turn }];
  if (stmt.kind !== "signal") return [];
  const ids = Array.from({ length: stmt.copies }, (_, i) => stmt.id + i);
  return Array.from({ length: coresOf(profile, stmt.core) }, (_, to) => ({
    core,
    kind: "signals",
    names: ids.map((id) => signalName(core.part.core, core.index, stmt.core, to, id)),
    turn,
  }));
}

/** Those that stand in a larger one with it: what a loop takes in turn is set and awaited one by one before it and behind it. */
function together(rings: readonly Own[]): readonly Ring[] {
  const found: (Own & { readonly loops: Set<number> })[] = [];
  for (const it of rings.toSorted((a, b) => b.names.length - a.names.length)) {
    const [first = ""] = it.names;
    const known = found.find(({ kind, names }) => kind === it.kind && names.includes(first));
    if (known) known.loops.add(it.turn);
    else found.push({ ...it, loops: new Set([it.turn]) });
  }
  return found;
}

type Pool = Map<string, number[]>;

const poolOf = ({ core, kind }: Ring, clocks: ReadonlyMap<Core, Clock>, signals: Pool): Pool | undefined =>
  kind === "signals" ? signals : clocks.get(core)?.flags;

/** The name that a turn so far ahead takes. */
const nameAt = ({ core, names, turn }: Ring, ahead: number): string =>
  names[((core.env[turn] ?? 0) + ahead) % names.length] ?? "";

/** When those of a ring were set that are not taken yet, from the one on that the next turn takes. */
export function timesIn(
  ring: Ring,
  clocks: ReadonlyMap<Core, Clock>,
  signals: Pool,
): readonly (readonly number[])[] {
  const pool = poolOf(ring, clocks, signals);
  return ring.names.map((_, ahead) => [...(pool?.get(nameAt(ring, ahead)) ?? [])]);
}

/** Set those of a ring anew, as they are so many turns of its loop from now. */
export function setTimes(
  ring: Ring,
  turns: number,
  times: readonly (readonly number[])[],
  clocks: ReadonlyMap<Core, Clock>,
  signals: Pool,
): void {
  const pool = poolOf(ring, clocks, signals);
  times.forEach((of, ahead) => pool?.set(nameAt(ring, turns + ahead), [...of]));
}
