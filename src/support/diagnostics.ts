/**
 * Diagnostics: every fault a user can meet has a stable code, a place, what was found, what was expected
 * and what to do. The messages stand in `catalog/`, one file an area; nothing else in moec words an error.
 */
import { checkpointCatalog } from "./catalog/checkpoint.ts";
import { clusterCatalog } from "./catalog/cluster.ts";
import { emitCatalog } from "./catalog/emit.ts";
import { evalCatalog } from "./catalog/eval.ts";
import { irCatalog } from "./catalog/ir.ts";
import { onnxCatalog } from "./catalog/onnx.ts";
import { planCatalog } from "./catalog/plan.ts";
import { profileCatalog } from "./catalog/profile.ts";
import { quantCatalog } from "./catalog/quant.ts";
import { scheduleCatalog } from "./catalog/schedule.ts";
import { usageCatalog } from "./catalog/usage.ts";

/** Exit codes of the command line; each catalog entry names the one it ends with. */
export const exitCodes = {
  done: 0,
  fault: 1,
  usage: 2,
  model: 3,
  capacity: 4,
  check: 5,
  interrupted: 130,
} as const;
export type Exit = keyof typeof exitCodes;

/** Where a fault lies, as precisely as its source allows. */
export type Where =
  | { readonly kind: "file"; readonly file: string; readonly byte?: number }
  | { readonly kind: "tensor"; readonly file?: string; readonly tensor: string }
  | { readonly kind: "json"; readonly file: string; readonly pointer: string }
  | { readonly kind: "text"; readonly file: string; readonly line: number; readonly column: number }
  | { readonly kind: "value"; readonly func: string; readonly value: string }
  | { readonly kind: "flag"; readonly flag: string };

/** What a catalog entry says of one fault. */
export type Message = { readonly exit: Exit; readonly message: string; readonly hint?: string };

export const catalog = {
  ...checkpointCatalog,
  ...onnxCatalog,
  ...irCatalog,
  ...emitCatalog,
  ...evalCatalog,
  ...planCatalog,
  ...profileCatalog,
  ...quantCatalog,
  ...scheduleCatalog,
  ...clusterCatalog,
  ...usageCatalog,
} as const;
export type Code = keyof typeof catalog;

export type Diagnostic = Message & { readonly code: Code; readonly where?: Where };

/** Make a diagnostic from the catalog; wrong arguments do not compile. */
export function diag<C extends Code>(
  code: C,
  where: Where | undefined,
  ...args: Parameters<(typeof catalog)[C]>
): Diagnostic {
  const make = catalog[code] as (...args: unknown[]) => Message; // the parameters were checked above
  return { code, ...(where && { where }), ...make(...args) };
}

/** The one error type that carries diagnostics to the command line. Anything else thrown is a fault of moec. */
export class CompileError extends Error {
  readonly diagnostics: readonly Diagnostic[];
  constructor(diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map(formatDiagnostic).join("\n"));
    this.name = "CompileError";
    this.diagnostics = diagnostics;
  }
}

/** Throw one diagnostic. */
export function fail<C extends Code>(
  code: C,
  where: Where | undefined,
  ...args: Parameters<(typeof catalog)[C]>
): never {
  throw new CompileError([diag(code, where, ...args)]);
}

/** The place of a fault as text, e.g. `model.safetensors, tensor "w"`. */
export function formatWhere(where: Where): string {
  switch (where.kind) {
    case "file":
      return where.byte === undefined ? where.file : `${where.file} @ byte ${where.byte}`;
    case "tensor":
      return where.file ? `${where.file}, tensor "${where.tensor}"` : `tensor "${where.tensor}"`;
    case "json":
      return `${where.file} at ${where.pointer || "/"}`;
    case "text":
      return `${where.file}:${where.line}:${where.column}`;
    case "value":
      return `@${where.func}, %${where.value}`;
    case "flag":
      return where.flag;
  }
}

/** A diagnostic as the terminal shows it, without colour. */
export function formatDiagnostic(d: Diagnostic): string {
  const lines = [`error[${d.code}]: ${d.message}`];
  if (d.where) lines.push(`  --> ${formatWhere(d.where)}`);
  if (d.hint) lines.push(`  hint: ${d.hint}`);
  return lines.join("\n");
}

/** A diagnostic that stops nothing, as one sentence. */
export const warningText = ({ message, hint }: Diagnostic): string =>
  hint ? `${message}; ${hint}` : message;
