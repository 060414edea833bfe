/**
 * Flags between the engines of a core, put where they are needed: each buffer is handed from the engine that fills it to those that
 * read it, and back when it is free. Authors write the work in its order; this finds who must wait for whom.
 */
import { fail } from "../../support/diagnostics.ts";
import type { Profile } from "../profile.ts";
import { accesses, crossingOf, edgesOf, scopeOf, type Scope } from "./handover.ts";
import { statements, type BufferStmt, type FlagStmt, type Kernel, type Part, type Stmt } from "./kernel.ts";
import { mostPending } from "./pending.ts";
import { printStmt } from "./printer.ts";

/** Edges that one flag serves: set behind the last of what it waits for, waited for before the first of what follows. */
type Channel = {
  readonly from: string;
  readonly to: string;
  set: number;
  wait: number;
  /** Numbers that it takes in turn. */
  readonly copies: number;
  /** Turns from its set to its wait. */
  readonly turns: number;
};

/** Those of a body, each with numbers enough that none is set again before it is sure to have been waited for. */
function channelsOf(body: readonly Stmt[], repeats: boolean, scope: Scope): readonly Channel[] {
  const channels = servingAll(body, repeats, scope);
  return repeats
    ? channels.map((it) => ({ ...it, copies: Math.max(it.copies, mostPending(it, channels)) }))
    : channels;
}

/** Few enough to serve all edges of a body. */
function servingAll(body: readonly Stmt[], repeats: boolean, scope: Scope): readonly Channel[] {
  const channels: Channel[] = [];
  for (const buffer of body.filter((it) => it.kind === "buffer")) {
    if (buffer.isFlagged) continue;
    const crossing = crossingOf(body, buffer, scope);
    if (crossing)
      fail(
        "schedule/crossed",
        undefined,
        scope.kernel.name,
        buffer.name,
        printStmt(crossing.stmt, scope.kernel),
        ...crossing.engines,
      );
    for (const { from, to, turns } of edgesOf(accesses(body, buffer, scope), buffer.copies, repeats)) {
      // Set in turn t and waited for so many turns later, a flag has come round to the same number.
      const copies = turns > 0 ? turns : buffer.copies;
      const [set, wait] = [from.last, to.first];
      const known = channels.find(
        (it) =>
          it.from === from.engine &&
          it.to === to.engine &&
          it.copies === copies &&
          it.turns === turns &&
          // Within a turn, what is set must stay before what waits.
          (turns > 0 || Math.max(it.set, set) < Math.min(it.wait, wait)),
      );
      if (known) [known.set, known.wait] = [Math.max(known.set, set), Math.min(known.wait, wait)];
      else channels.push({ from: from.engine, to: to.engine, set, wait, copies, turns });
    }
  }
  return channels;
}

/** Numbers of flags that are taken, by pair of engines. */
type Numbers = Map<string, number>;

function take(numbers: Numbers, { from, to, copies }: Channel): number {
  const pair = `${from} ${to}`;
  const id = numbers.get(pair) ?? 0;
  numbers.set(pair, id + copies);
  return id;
}

/** Numbers behind those of the flags that a body has already. */
function taken(body: readonly Stmt[]): Numbers {
  const numbers: Numbers = new Map();
  for (const it of statements(body))
    if (it.kind === "set" || it.kind === "wait") {
      const pair = `${it.from} ${it.to}`;
      numbers.set(pair, Math.max(numbers.get(pair) ?? 0, it.id + it.copies));
    }
  return numbers;
}

/** A buffer with the copies that it has a use for: those that one engine alone works on, or that stand in no loop, are looked back at or have none. */
function withoutIdleCopies(buffer: BufferStmt, body: readonly Stmt[], repeats: boolean, scope: Scope): Stmt {
  if (buffer.isFlagged || buffer.copies === 1) return buffer;
  const found = accesses(body, buffer, scope);
  const isHandedOver = repeats && found.some((it) => it.engine !== found[0]?.engine);
  if (isHandedOver) return buffer;
  return { ...buffer, copies: 1 + Math.max(0, ...found.map((it) => it.back)) };
}

type Flag = Omit<FlagStmt, "kind">;

/** The numbers of a flag, one by one. */
const each = (flag: Flag): readonly Flag[] =>
  Array.from({ length: flag.copies }, (_, i) => ({ ...flag, id: flag.id + i, copies: 1 }));

/** Those of its numbers that the last turns had, the earliest first. */
const lastOf = (flag: Flag, turns: number): readonly Flag[] =>
  Array.from({ length: turns }, (_, i) => ({ ...flag, back: turns - i }));

/** Flags that must be set before the kernel's first turn, and taken back behind its last. */
type Primed = { readonly before: FlagStmt[]; readonly behind: FlagStmt[] };

function withFlags(
  stmts: readonly Stmt[],
  repeats: boolean,
  scope: Scope,
  numbers: Numbers,
  primed: Primed,
): readonly Stmt[] {
  const body = stmts.map((it) => (it.kind === "buffer" ? withoutIdleCopies(it, stmts, repeats, scope) : it));
  const before: FlagStmt[][] = body.map(() => []);
  const behind: FlagStmt[][] = body.map(() => []);
  for (const channel of channelsOf(body, repeats, scope)) {
    const { from, to, copies, turns } = channel;
    const id = take(numbers, channel);
    const flag: Flag = { from, to, id, copies };
    const comesRound = turns === copies;
    before[channel.wait]?.push({ kind: "wait", ...flag, ...(turns > 0 && !comesRound && { back: turns }) });
    // What comes round to the number of this turn's wait is not set anew before it.
    behind[comesRound ? Math.max(channel.set, channel.wait) : channel.set]?.push({ kind: "set", ...flag });
    for (const number of comesRound ? each(flag) : lastOf(flag, turns)) {
      primed.before.push({ kind: "set", ...number });
      primed.behind.push({ kind: "wait", ...number });
    }
  }
  return body.flatMap((stmt, i) => {
    const inside =
      stmt.kind === "for" || stmt.kind === "if"
        ? { ...stmt, body: withFlags(stmt.body, stmt.kind === "for", scope, numbers, primed) }
        : stmt;
    return [...(before[i] ?? []), inside, ...(behind[i] ?? [])];
  });
}

/**
 * A kernel with its flags within each core; buffers that are `flagged` have theirs in the text. Throws `schedule/crossed` where two engines meet in a buffer that is declared outside the
 * loop in which they do.
 */
export function insertFlags(kernel: Kernel, profile: Profile): Kernel {
  const parts = kernel.parts.map((part): Part => {
    const primed: Primed = { before: [], behind: [] };
    const body = withFlags(part.body, false, scopeOf(kernel, part, profile), taken(part.body), primed);
    return { ...part, body: [...primed.before, ...body, ...primed.behind] };
  });
  return { ...kernel, parts };
}
