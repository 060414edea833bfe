import { diag, type Diagnostic } from "../../support/diagnostics.ts";
import type { Profile } from "../profile.ts";
import { statements, type Kernel, type Part } from "../schedule/kernel.ts";
import { printStmt } from "../schedule/printer.ts";

/** Flags that the machine does not have: numbers beyond its budget, and engines or cores that are not there. */
export function flagFaults(kernel: Kernel, profile: Profile): readonly Diagnostic[] {
  return kernel.parts.flatMap((part) => [...within(kernel, part, profile), ...across(kernel, part, profile)]);
}

function within(
  kernel: Kernel,
  { core, body }: Part,
  { engines, flags, name }: Profile,
): readonly Diagnostic[] {
  const known = new Set(engines.filter((it) => it.core === core).map((it) => it.name));
  const most = flags.perPair.value - flags.reserved.value;
  return statements(body).flatMap((stmt) => {
    if (stmt.kind !== "set" && stmt.kind !== "wait") return [];
    const text = printStmt(stmt, kernel);
    const missing = [stmt.from, stmt.to].filter((it) => !known.has(it));
    if (missing.length > 0 || stmt.from === stmt.to)
      return [diag("schedule/engine", undefined, text, name, core, missing[0] ?? stmt.from)];
    return stmt.id + stmt.copies > most ? [diag("schedule/flag-budget", undefined, text, name, most)] : [];
  });
}

function across(
  kernel: Kernel,
  { core, body }: Part,
  { engines, cores, flags, name }: Profile,
): readonly Diagnostic[] {
  const most = flags.cross?.count.value ?? 0;
  return statements(body).flatMap((stmt) => {
    if (stmt.kind !== "signal" && stmt.kind !== "await") return [];
    const text = printStmt(stmt, kernel);
    if (!engines.some((it) => it.core === core && it.name === stmt.engine))
      return [diag("schedule/engine", undefined, text, name, core, stmt.engine)];
    if (!cores.some((it) => it.name === stmt.core) || stmt.core === core)
      return [diag("schedule/engine", undefined, text, name, core, stmt.core)];
    return stmt.id + stmt.copies > most ? [diag("schedule/flag-budget", undefined, text, name, most)] : [];
  });
}
