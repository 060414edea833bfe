/** Operands that are not read whole: loops along a tensor that miss a turn, where no other statement reads of it what they leave. */
import { binary, namesOf } from "../../../../src/machine/schedule/expr.ts";
import {
  statements,
  type CopyStmt,
  type ForStmt,
  type Kernel,
  type Stmt,
} from "../../../../src/machine/schedule/kernel.ts";
import type { Code } from "../../../../src/support/diagnostics.ts";
import { change, type Fault } from "./fault.ts";

/** The copies that are alone in reading a tensor. */
function loneLoads({ parts, tensors }: Kernel): ReadonlySet<Stmt> {
  const copies = parts.flatMap((part) => statements(part.body)).filter((it): it is CopyStmt => it.kind === "copy"); // prettier-ignore
  const lone = tensors.flatMap(({ name, role }) => {
    const own = copies.filter((it) => it.from.of === name);
    return role === "in" && own.length === 1 ? own : [];
  });
  return new Set(lone);
}

/** Whether a loop's turns go along what one of some copies reads. */
const goesAlong = (loop: ForStmt, loads: ReadonlySet<Stmt>): boolean =>
  statements(loop.body).some(
    (it) => it.kind === "copy" && loads.has(it) && it.from.at.flatMap(namesOf).includes(loop.name),
  );

/** What operands that are not whole bring about: besides, sums that begin with nothing, and flags and signals of turns that are missing. */
const codes: readonly Code[] = [
  "schedule/unread",
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
