/** Faults put into correct schedules. */
import { binary, namesOf, num } from "../../../src/machine/schedule/expr.ts";
import type { Kernel, Region, Stmt } from "../../../src/machine/schedule/kernel.ts";

/** Picks a number below n. */
export type Pick = (n: number) => number;

export type Fault = {
  readonly name: string;
  /** The faulty kernel, or undefined where this one offers no place for the fault. */
  readonly put: (kernel: Kernel, pick: Pick) => Kernel | undefined;
  /** Diagnoses that name the fault rightly. */
  readonly codes: readonly string[];
};

type Change = (stmt: Stmt) => Stmt | undefined;

/** The kernel with one of the statements that `fits` changed, or taken out where the change gives none. */
function change(kernel: Kernel, pick: Pick, fits: (stmt: Stmt) => boolean, by: Change): Kernel | undefined {
  const count = (body: readonly Stmt[]): number =>
    body.reduce((n, it) => n + (fits(it) ? 1 : 0) + ("body" in it ? count(it.body) : 0), 0);
  const total = kernel.parts.reduce((n, it) => n + count(it.body), 0);
  if (total === 0) return undefined;
  let left = pick(total);
  const walk = (body: readonly Stmt[]): readonly Stmt[] =>
    body.flatMap((it): readonly Stmt[] => {
      if (fits(it) && left-- === 0) {
        const made = by(it);
        return made ? [made] : [];
      }
      return ["body" in it ? { ...it, body: walk(it.body) } : it];
    });
  return { ...kernel, parts: kernel.parts.map((it) => ({ ...it, body: walk(it.body) })) };
}

/** The kernel with every loop that deals out work by groups begun at its first task: all groups do the same. */
function together(kernel: Kernel): Kernel | undefined {
  let found = false;
  const walk = (body: readonly Stmt[]): readonly Stmt[] =>
    body.map((it) => {
      if (it.kind !== "for") return "body" in it ? { ...it, body: walk(it.body) } : it;
      const isDealt = namesOf(it.from).includes("group");
      found ||= isDealt;
      return { ...it, from: isDealt ? num(0) : it.from, body: walk(it.body) };
    });
  const parts = kernel.parts.map((it) => ({ ...it, body: walk(it.body) }));
  return found ? { ...kernel, parts } : undefined;
}

const isFlag = ({ kind }: Stmt): boolean => kind === "set" || kind === "wait";
const buffersOf = (kernel: Kernel): ReadonlySet<string> => {
  const names = new Set<string>();
  const visit = (it: Stmt): void => {
    if (it.kind === "buffer") names.add(it.name);
    if ("body" in it) it.body.forEach(visit);
  };
  kernel.parts.forEach((it) => it.body.forEach(visit));
  return names;
};
const shifted = (region: Region): Region => ({
  ...region,
  at: region.at.map((it, i) => (i === region.at.length - 1 ? binary("+", it, num(1)) : it)),
});

export const faults: readonly Fault[] = [
  {
    name: "a flag dropped",
    put: (kernel, pick) => change(kernel, pick, isFlag, () => undefined),
    codes: [
      "schedule/never-set",
      "schedule/set-twice",
      "schedule/left-set",
      "schedule/race",
      "schedule/deadlock",
    ],
  },
  {
    name: "a buffer one copy short",
    put: (kernel, pick) =>
      change(
        kernel,
        pick,
        (it) => it.kind === "buffer" && it.copies > 1,
        (it) => (it.kind === "buffer" ? { ...it, copies: it.copies - 1 } : it),
      ),
    codes: ["schedule/race", "schedule/copies"],
  },
  {
    name: "a tile too large",
    put: (kernel, pick) =>
      change(
        kernel,
        pick,
        ({ kind }) => kind === "buffer",
        (it) => (it.kind === "buffer" ? { ...it, rows: it.rows * 4096 } : it),
      ),
    codes: ["schedule/capacity"],
  },
  {
    name: "a misaligned copy",
    put: (kernel, pick) => {
      const buffers = buffersOf(kernel);
      return change(
        kernel,
        pick,
        (it) => it.kind === "copy" && (buffers.has(it.from.of) || buffers.has(it.to.of)),
        (it) => {
          if (it.kind !== "copy") return it;
          return buffers.has(it.to.of) ? { ...it, to: shifted(it.to) } : { ...it, from: shifted(it.from) };
        },
      );
    },
    codes: ["schedule/alignment", "schedule/bounds"],
  },
  {
    name: "a wrong dtype",
    put: (kernel, pick) =>
      change(
        kernel,
        pick,
        ({ kind }) => kind === "buffer",
        (it) => (it.kind === "buffer" ? { ...it, dtype: it.dtype === "f64" ? "u16" : "f64" } : it),
      ),
    codes: ["schedule/illegal"],
  },
  {
    name: "two writers",
    put: together,
    codes: ["schedule/two-writers"],
  },
];
