/**
 * Flags between the engines of a core, put where they are needed: each buffer is handed from the engine that fills it to those that
 * read it, and back when it is free. Authors write the work in its order; this finds who must wait for whom.
 */
import { fail } from "../../support/diagnostics.ts";
import { globalSpace, type Profile } from "../profile.ts";
import {
  bodyOf,
  statements,
  type BufferStmt,
  type FlagStmt,
  type Kernel,
  type Part,
  type Region,
  type Stmt,
} from "./kernel.ts";
import { engineOf } from "./prepare.ts";
import { printStmt } from "./printer.ts";

/** One engine's work on one buffer, from the first statement of a body that touches it to the last. */
type Access = {
  readonly engine: string;
  readonly back: number;
  readonly first: number;
  readonly last: number;
  readonly writes: boolean;
};

/** `to` waits for `from`; `turns` is how many turns later. */
type Edge = { readonly from: Access; readonly to: Access; readonly turns: number };

type Scope = {
  readonly kernel: Kernel;
  readonly part: Part;
  readonly profile: Profile;
  readonly spaces: ReadonlyMap<string, string>;
};

/** Regions a statement itself works on, and whether it writes them. */
function touches(stmt: Stmt): readonly (readonly [Region, boolean])[] {
  switch (stmt.kind) {
    case "copy":
      return [[stmt.from, false], [stmt.to, true]]; // prettier-ignore
    case "matmul":
      return [[stmt.a, false], [stmt.b, false], [stmt.c, true]]; // prettier-ignore
    case "vector":
      return [...stmt.from.map((it) => [it, false] as const), [stmt.to, true]];
    case "read":
      return [[stmt.from, false]];
    default:
      return [];
  }
}

/** An engine's work on a buffer somewhere in a statement; with `back`, on the copy of so many turns before. */
type Worker = { readonly engine: string; readonly back: number; readonly writes: boolean };

function workers(stmt: Stmt, buffer: string, scope: Scope): readonly Worker[] {
  const found = new Map<string, Worker>();
  const visit = (it: Stmt): void => {
    for (const [{ of, back = 0 }, writes] of touches(it))
      if (of === buffer) {
        const engine = engineIn(it, scope);
        const key = `${engine} ${back}`;
        found.set(key, { engine, back, writes: (found.get(key)?.writes ?? false) || writes });
      }
    bodyOf(it).forEach(visit);
  };
  visit(stmt);
  return [...found.values()];
}

const engineIn = (stmt: Stmt, { kernel, part, profile, spaces }: Scope): string =>
  stmt.kind === "for" || stmt.kind === "if" || stmt.kind === "let" || stmt.kind === "buffer"
    ? ""
    : engineOf(stmt, part.core, ({ of }) => spaces.get(of) ?? globalSpace, profile, kernel);

/** Who works on one tile of a buffer, in the order of time: what looks back does so in later turns. Neighbours of one engine are one access. */
function accesses(body: readonly Stmt[], buffer: BufferStmt, scope: Scope): readonly Access[] {
  const all = body.flatMap((stmt, i) => {
    const found = workers(stmt, buffer.name, scope);
    const [one, other] = [found[0]?.engine, found.find((it) => it.engine !== found[0]?.engine)?.engine];
    // A single instruction is the work of one engine only, so this is a loop whose engines meet in the buffer.
    if (one !== undefined && other !== undefined && found.some((it) => it.writes))
      fail(
        "schedule/crossed",
        undefined,
        scope.kernel.name,
        buffer.name,
        printStmt(stmt, scope.kernel),
        one,
        other,
      );
    return found.map((it): Access => ({ ...it, first: i, last: i }));
  });
  const merged: Access[] = [];
  for (const it of all.toSorted((a, b) => a.back - b.back)) {
    const before = merged.at(-1);
    if (before?.engine === it.engine && before.back === it.back)
      merged[merged.length - 1] = { ...before, last: it.last, writes: before.writes || it.writes };
    else merged.push(it);
  }
  return merged;
}

const conflict = (a: Access, b: Access): boolean => a.engine !== b.engine && (a.writes || b.writes);

/**
 * The waits that order all accesses of a tile and, where the body is a loop's, with those of the tile that takes the same copy. An access that
 * looks back is that many turns later than its tile's own.
 */
function edgesOf(found: readonly Access[], copies: number, repeats: boolean): readonly Edge[] {
  const edges: Edge[] = [];
  /** Whether access i is behind access j by the edges so far and the engines' own order. */
  const follows = (i: number, j: number): boolean => {
    if (i === j || found[i]?.engine === found[j]?.engine) return i >= j;
    return edges.some(
      ({ from, to }) =>
        to.engine === found[i]?.engine &&
        found.indexOf(to) <= i &&
        found.indexOf(from) >= j &&
        follows(found.indexOf(from), j),
    );
  };
  found.forEach((to, i) => {
    for (let j = i - 1; j >= 0; j--) {
      const from = found[j];
      if (from && conflict(from, to) && !follows(i, j)) edges.push({ from, to, turns: to.back - from.back });
    }
  });
  if (!repeats) return edges;
  const later: Edge[] = [];
  found.forEach((to, i) => {
    for (let j = found.length - 1; j >= 0; j--) {
      const from = found[j];
      // Covered where the engine itself has come behind `from` in its own turn, or where another wait leads there.
      const isCovered =
        found.some((own, p) => own.engine === to.engine && follows(p, j)) ||
        later.some((e) => follows(found.indexOf(e.from), j) && follows(i, found.indexOf(e.to)));
      if (from && conflict(from, to) && !isCovered)
        later.push({ from, to, turns: copies + to.back - from.back });
    }
  });
  return [...edges, ...later];
}

/** Edges that one flag serves: set behind the last of what it waits for, waited for before the first of what follows. */
type Channel = {
  readonly from: string;
  readonly to: string;
  set: number;
  wait: number;
  readonly copies: number;
  readonly turns: number;
};

function channelsOf(body: readonly Stmt[], repeats: boolean, scope: Scope): readonly Channel[] {
  const channels: Channel[] = [];
  for (const buffer of body.filter((it) => it.kind === "buffer")) {
    if (buffer.isFlagged) continue;
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

/** Flags that must be set before the kernel's first turn, and taken back behind its last. */
type Primed = { readonly before: FlagStmt[]; readonly behind: FlagStmt[] };

function withFlags(
  body: readonly Stmt[],
  repeats: boolean,
  scope: Scope,
  numbers: Numbers,
  primed: Primed,
): readonly Stmt[] {
  const before: FlagStmt[][] = body.map(() => []);
  const behind: FlagStmt[][] = body.map(() => []);
  for (const channel of channelsOf(body, repeats, scope)) {
    const { from, to, copies, turns } = channel;
    const id = take(numbers, channel);
    const flag = { from, to, id, copies } as const;
    before[channel.wait]?.push({ kind: "wait", ...flag });
    // What is waited for in later turns is not set anew before this turn's wait.
    behind[turns > 0 ? Math.max(channel.set, channel.wait) : channel.set]?.push({ kind: "set", ...flag });
    if (turns === 0) continue;
    for (let i = 0; i < copies; i++) {
      primed.before.push({ kind: "set", from, to, id: id + i, copies: 1 });
      primed.behind.push({ kind: "wait", from, to, id: id + i, copies: 1 });
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
    const buffers = statements(part.body).filter((it) => it.kind === "buffer");
    const scope = { kernel, part, profile, spaces: new Map(buffers.map((it) => [it.name, it.space])) };
    const primed: Primed = { before: [], behind: [] };
    const body = withFlags(part.body, false, scope, taken(part.body), primed);
    return { ...part, body: [...primed.before, ...body, ...primed.behind] };
  });
  return { ...kernel, parts };
}
