/** How a failed command ends: diagnostics for people or as JSON, and the exit code. */
import { CommanderError } from "commander";
import { CompileError, diag, exitCodes, formatWhere, type Diagnostic } from "../support/diagnostics.ts";
import type { Paint } from "../support/log.ts";

export type Failure = { readonly exit: number; readonly text: string; readonly json: string };

const document = (error: readonly object[]): string => `${JSON.stringify({ error }, undefined, 2)}\n`;

/** As many as one reads; the JSON has all. */
const mostShown = 20;

function ofDiagnostics(diagnostics: readonly Diagnostic[], paint: Paint): Failure {
  const shown = diagnostics.slice(0, mostShown).map((it) => {
    const lines = [`${paint.error(`error[${it.code}]:`)} ${it.message}`];
    if (it.where) lines.push(`  ${paint.place(`--> ${formatWhere(it.where)}`)}`);
    if (it.hint) lines.push(`  ${paint.hint("hint:")} ${it.hint}`);
    return `${lines.join("\n")}\n`;
  });
  const rest = diagnostics.length - shown.length;
  const text = shown.join("") + (rest > 0 ? `and ${rest} more; --json tells all\n` : "");
  const json = document(
    diagnostics.map(({ code, message, where, hint }) => ({
      code,
      message,
      where: where ?? null,
      hint: hint ?? null,
    })),
  );
  return { exit: exitCodes[diagnostics[0]?.exit ?? "fault"], text, json };
}

/** Commander's message as a diagnostic: its suggestion becomes the hint. */
function ofUsage(error: CommanderError): Diagnostic {
  const [, message = error.message, near] =
    /^(?:error: )?([^]*?)(?:\s*\((Did you mean [^)]*)\))?$/.exec(error.message) ?? [];
  const hint = near
    ? near.replace("Did", "did")
    : "moec --help lists commands, moec COMMAND --help its options";
  return diag("usage/command-line", undefined, message, hint);
}

/** What to print for anything thrown, and the code to exit with. */
export function failureOf(error: unknown, paint: Paint): Failure {
  if (error instanceof CompileError) return ofDiagnostics(error.diagnostics, paint);
  if (error instanceof CommanderError) return ofDiagnostics([ofUsage(error)], paint);
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const message = "this is a fault of moec's own";
  return {
    exit: exitCodes.fault,
    text: `${paint.error("error:")} ${message}; please report it with the lines below\n${stack}\n`,
    json: document([{ code: "moec/fault", message, where: null, hint: stack }]),
  };
}
