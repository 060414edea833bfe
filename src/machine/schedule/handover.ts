/** Who works on a buffer, one engine after another, and who of them must wait for whom: within a turn, and where the buffer comes back. */
import { globalSpace, type Profile } from "../profile.ts";
import {
  bodyOf,
  regionsOf,
  statements,
  type BufferStmt,
  type Kernel,
  type Part,
  type Region,
  type Stmt,
} from "./kernel.ts";
import { engineOf } from "./prepare.ts";

/** One engine's work on one buffer, from the first statement of a body that touches it to the last. */
export type Access = {
  readonly engine: string;
  readonly back: number;
  readonly first: number;
  readonly last: number;
  readonly writes: boolean;
};

/** `to` waits for `from`; `turns` is how many turns later. */
export type Edge = { readonly from: Access; readonly to: Access; readonly turns: number };

/** Where a buffer stands: what its part and its machine make of it. */
export type Scope = {
  readonly kernel: Kernel;
  readonly part: Part;
  readonly profile: Profile;
  readonly spaces: ReadonlyMap<string, string>;
};

/** Regions a statement itself works on, and whether it writes them. */
const touches = (stmt: Stmt): readonly (readonly [Region, boolean])[] =>
  regionsOf(stmt).map((it, i, all) => [it, stmt.kind !== "read" && i === all.length - 1]);

/** An engine's work on a buffer somewhere in a statement; with `back`, on the copy of so many turns before. */
type Worker = { readonly engine: string; readonly back: number; readonly writes: boolean };

export const scopeOf = (kernel: Kernel, part: Part, profile: Profile): Scope => ({
  kernel,
  part,
  profile,
  spaces: new Map(
    statements(part.body).flatMap((it) => (it.kind === "buffer" ? [[it.name, it.space] as const] : [])),
  ),
});

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

/** Two engines that meet in a buffer inside one statement of its body, so that no flag there comes between them. */
export type Crossing = { readonly stmt: Stmt; readonly engines: readonly [string, string] };

/** A single instruction is the work of one engine only, so what crosses is a loop or a condition. */
export function crossingOf(body: readonly Stmt[], buffer: BufferStmt, scope: Scope): Crossing | undefined {
  for (const stmt of body) {
    const found = workers(stmt, buffer.name, scope);
    const [one, other] = [found[0]?.engine, found.find((it) => it.engine !== found[0]?.engine)?.engine];
    if (one !== undefined && other !== undefined && found.some((it) => it.writes))
      return { stmt, engines: [one, other] };
  }
  return undefined;
}

/** Who works on one tile of a buffer, in the order of time: what looks back does so in later turns. Neighbours of one engine are one access. */
export function accesses(body: readonly Stmt[], buffer: BufferStmt, scope: Scope): readonly Access[] {
  const all = body.flatMap((stmt, i) =>
    workers(stmt, buffer.name, scope).map((it): Access => ({ ...it, first: i, last: i })),
  );
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
export function edgesOf(found: readonly Access[], copies: number, repeats: boolean): readonly Edge[] {
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
