import { CompileError, type Diagnostic } from "../../src/support/diagnostics.ts";

/** Hears warnings where there must be none. */
export function noWarning(found: Diagnostic): never {
  throw new CompileError([found]);
}
