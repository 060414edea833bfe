/** Operands that are not read whole: loops along a tensor or what was brought of it that miss a turn, where no other statement uses what they leave. */
import { binary, namesOf } from "../../../../src/machine/schedule/expr.ts";
import {
  regionsOf,
  statements,
  type CopyStmt,
  type ForStmt,
  type Kernel,
  type Region,
  type Stmt,
} from "../../../../src/machine/schedule/kernel.ts";
import type { Code } from "../../../../src/support/diagnostics.ts";
import { change, type Fault } from "./fault.ts";

/** The copies that are alone in using an operand: a tensor that is only read, or what is passed on from buffer to buffer. */
function loneLoads({ parts, tensors }: Kernel): ReadonlySet<Stmt> {
  const lone = parts.flatMap((part) => {
    const all = statements(part.body);
    const copies = all.filter((it): it is CopyStmt => it.kind === "copy");
    const buffers = new Set(all.flatMap((it) => (it.kind === "buffer" ? [it.name] : [])));
    const brought = [...buffers].filter((name) => copies.some(({ to }) => to.of === name));
    return brought.flatMap((name) => onlyUse(name, all)).filter(({ to }) => buffers.has(to.of));
  });
  const everywhere = parts.flatMap((part) => statements(part.body));
  const taken = tensors.filter(({ role }) => role === "in").map(({ name }) => name);
  return new Set([...lone, ...taken.flatMap((name) => onlyUse(name, everywhere))]);
}

/** The copy that uses something, if nothing else does. */
function onlyUse(name: string, all: readonly Stmt[]): readonly CopyStmt[] {
  const uses = all.filter((it) => operandsOf(it).some(({ of }) => of === name));
  return uses.length === 1 ? uses.filter((it): it is CopyStmt => it.kind === "copy") : [];
}

const operandsOf = (it: Stmt): readonly Region[] =>
  it.kind === "read" ? [it.from] : regionsOf(it).slice(0, -1);

/** Whether a loop's turns go along what one of some copies reads. */
const goesAlong = (loop: ForStmt, loads: ReadonlySet<Stmt>): boolean =>
  statements(loop.body).some(
    (it) => it.kind === "copy" && loads.has(it) && it.from.at.flatMap(namesOf).includes(loop.name),
  );

/** What operands that are not whole bring about: besides, sums that begin with nothing, and flags and signals of turns that are missing. */
const codes: readonly Code[] = [
  "schedule/unread",
  "schedule/unused",
  "schedule/unfilled",
  "schedule/unwritten",
  "schedule/left-set",
  "schedule/deadlock",
];

const rebounded = (name: string, by: (loop: ForStmt) => Partial<ForStmt>): Fault => ({
  name,
  put: (kernel, pick) => {
    const loads = loneLoads(kernel);
    return change(kernel, pick, (it) =>
      it.kind === "for" && goesAlong(it, loads) ? [{ ...it, ...by(it) }] : undefined,
    );
  },
  codes,
});

export const operandFaults: readonly Fault[] = [
  rebounded("a loop along an operand a turn too short", ({ to, step }) => ({ to: binary("-", to, step) })),
  rebounded("a loop along an operand that begins a turn late", ({ from, step }) => ({
    from: binary("+", from, step),
  })),
];
