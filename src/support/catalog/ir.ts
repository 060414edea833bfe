import type { Message } from "../diagnostics.ts";

/** Faults of IR texts, graphs and passes. */
export const irCatalog = {
  "ir/syntax": (found: string, expected: string): Message => ({
    exit: "model",
    message: `found ${found}, expected ${expected}`,
    hint: "docs/ir.md shows the text form",
  }),
  "ir/unknown-op": (op: string): Message => ({
    exit: "model",
    message: `there is no operator ${op}`,
    hint: "docs/ir.md lists the operators",
  }),
  "ir/type": (op: string, why: string): Message => ({ exit: "model", message: `${op}: ${why}` }),
  "ir/undefined-value": (name: string): Message => ({
    exit: "model",
    message: `%${name} is used before it is defined`,
  }),
  "ir/redefined-value": (name: string): Message => ({
    exit: "model",
    message: `%${name} is defined twice`,
  }),
  "ir/attribute": (op: string, name: string, why: string): Message => ({
    exit: "model",
    message: `${op}: attribute ${name} ${why}`,
  }),
  "pass/unknown": (name: string, near: string | undefined): Message => ({
    exit: "usage",
    message: `there is no pass or pattern ${name}`,
    hint: near ? `did you mean ${near}?` : "moec passes lists them",
  }),
  "pass/broken": (pass: string, faults: number): Message => ({
    exit: "fault",
    message: `pass ${pass} left a malformed module (${faults} faults)`,
    hint: `this is a bug of moec; --disable ${pass} works around it`,
  }),
} as const;
