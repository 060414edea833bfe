/** Two that write the same: groups, cores of a group, and its parts. */
import { binary, num, type Expr } from "../../../../src/machine/schedule/expr.ts";
import type { Kernel, Region, Stmt } from "../../../../src/machine/schedule/kernel.ts";
import { statements } from "../../../../src/machine/schedule/kernel.ts";
import type { Fault } from "./fault.ts";

type Replace = (e: Expr) => Expr | undefined;

function inExpr(e: Expr, by: Replace): Expr {
  const made = by(e);
  if (made) return made;
  return e.kind === "binary" ? { ...e, left: inExpr(e.left, by), right: inExpr(e.right, by) } : e;
}

const inRegion = (it: Region, by: Replace): Region => ({
  ...it,
  at: it.at.map((e) => inExpr(e, by)),
  size: it.size.map((e) => inExpr(e, by)),
});

function inStmt(it: Stmt, by: Replace): Stmt {
  switch (it.kind) {
    case "for": {
      const [from, to, step] = [it.from, it.to, it.step].map((e) => inExpr(e, by));
      const body = it.body.map((inner) => inStmt(inner, by));
      return { ...it, from: from ?? it.from, to: to ?? it.to, step: step ?? it.step, body };
    }
    case "if":
      return { ...it, when: inExpr(it.when, by), body: it.body.map((inner) => inStmt(inner, by)) };
    case "let":
      return { ...it, value: inExpr(it.value, by) };
    case "copy":
      return { ...it, from: inRegion(it.from, by), to: inRegion(it.to, by) };
    default:
      return it;
  }
}

/** A kernel whose cores take one another's place: what a name is, it is no more. */
function renamed(kernel: Kernel, of: string, to: Expr): Kernel | undefined {
  let found = false;
  const by: Replace = (e) => {
    if (e.kind !== "name" || e.name !== of) return undefined;
    found = true;
    return to;
  };
  const parts = kernel.parts.map((part) => ({ ...part, body: part.body.map((it) => inStmt(it, by)) }));
  return found ? { ...kernel, parts } : undefined;
}

const isOut = (kernel: Kernel, { of }: Region): boolean =>
  kernel.tensors.some((it) => it.name === of && it.role === "out");

const added = (kernel: Kernel): boolean =>
  kernel.parts.some((part) => statements(part.body).some((it) => it.kind === "copy" && it.add));

/** The parts of cores of a kind write results. */
const writesOf = (kernel: Kernel, core: string): boolean =>
  kernel.parts.some(
    (part) =>
      part.core === core && statements(part.body).some((it) => it.kind === "copy" && isOut(kernel, it.to)),
  );

/** Where one part writes results, another fills their first numbers. */
const betweenParts: Fault = {
  name: "two parts that write the same",
  put: (kernel, _, { vector, paths, spaces }) => {
    const writer = kernel.parts.find((it) => it.core !== vector.core && writesOf(kernel, it.core));
    const other = kernel.parts.find((it) => it.core === vector.core);
    const out = kernel.tensors.find((it) => it.role === "out" && it.dtype === "f32" && it.dims.length === 2);
    const give = paths.find((it) => it.core === vector.core && it.from === vector.space && it.to === "gm");
    if (!writer || !other || !out || !give || !spaces.some((it) => it.name === vector.space))
      return undefined;
    const corner: Region = { of: out.name, at: [num(0), num(0)], size: [num(1), num(8)] };
    const own: Region = { of: "extra", at: [num(0), num(0)], size: [num(1), num(8)] };
    const flag = { from: vector.engine, to: give.engine, id: 5, copies: 1 } as const;
    const extra: readonly Stmt[] = [
      { kind: "buffer", name: "extra", space: vector.space, dtype: "f32", rows: 1, cols: 8, copies: 1 },
      { kind: "vector", op: "fill", from: [], to: own, values: [0] },
      { kind: "set", ...flag },
      { kind: "wait", ...flag },
      { kind: "copy", from: own, to: corner, transpose: false, add: false },
    ];
    return {
      ...kernel,
      parts: kernel.parts.map((it) => (it === other ? { ...it, body: [...it.body, ...extra] } : it)),
    };
  },
  codes: ["schedule/two-writers", "schedule/race"],
};

const between = (name: string, of: string, to: Expr): Fault => ({
  name,
  put: (kernel) => (added(kernel) ? undefined : renamed(kernel, of, to)),
  codes: ["schedule/two-writers"],
});

export const writerFaults: readonly Fault[] = [
  between("groups that all do the first one's work", "group", num(0)),
  between(
    "groups that do one another's work by turns",
    "group",
    binary("/", { kind: "name", name: "group" }, num(2)),
  ),
  {
    name: "cores of a group that all do the first one's work",
    put: (kernel, _, { vector, cores }) =>
      added(kernel) ||
      !writesOf(kernel, vector.core) ||
      (cores.find((it) => it.name === vector.core)?.perGroup.value ?? 1) === 1
        ? undefined
        : renamed(kernel, "core", num(0)),
    codes: ["schedule/two-writers", "schedule/race"],
  },
  betweenParts,
];
