/** Results that are not whole: stores left out, and loops around stores that miss a turn. */
import { binary } from "../../../../src/machine/schedule/expr.ts";
import { statements, type ForStmt, type Kernel, type Stmt } from "../../../../src/machine/schedule/kernel.ts";
import { prepareParts } from "../../../../src/machine/schedule/cores.ts";
import type { Profile } from "../../../../src/machine/profile.ts";
import { writtenByNumber } from "../../../../src/machine/verify/across/by-number.ts";
import type { Code } from "../../../../src/support/diagnostics.ts";
import { change, type Fault } from "./fault.ts";

/** Results that are whole whatever a kernel finds in what it reads: of others a trial may know no more than a part. */
function wholeResults(kernel: Kernel, profile: Profile): ReadonlySet<string> {
  const byNumber = new Set(prepareParts(kernel, profile).flatMap(writtenByNumber));
  const results = kernel.tensors.filter((it) => it.role === "out" && !byNumber.has(it.name));
  return new Set(results.map((it) => it.name));
}

const isStore = (it: Stmt, results: ReadonlySet<string>): boolean =>
  it.kind === "copy" && results.has(it.to.of);

/** What a result that is not whole brings about where flags, signals and later loops count on its stores. */
const codes: readonly Code[] = [
  "schedule/unfilled",
  "schedule/unwritten",
  "schedule/left-set",
  "schedule/deadlock",
];

/** A loop around a store, its bounds changed. */
const rebounded = (name: string, by: (loop: ForStmt) => Partial<ForStmt>): Fault => ({
  name,
  put: (kernel, pick, profile) => {
    const results = wholeResults(kernel, profile);
    return change(kernel, pick, (it) =>
      it.kind === "for" && statements(it.body).some((of) => isStore(of, results))
        ? [{ ...it, ...by(it) }]
        : undefined,
    );
  },
  codes,
});

export const resultFaults: readonly Fault[] = [
  {
    name: "a result not stored",
    put: (kernel, pick, profile) => {
      const results = wholeResults(kernel, profile);
      return change(kernel, pick, (it) => (isStore(it, results) ? [] : undefined));
    },
    codes,
  },
  rebounded("a loop a turn too short", ({ to, step }) => ({ to: binary("-", to, step) })),
  rebounded("a loop that begins a turn late", ({ from, step }) => ({ from: binary("+", from, step) })),
];
