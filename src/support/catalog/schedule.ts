import type { Message } from "../diagnostics.ts";

/** Faults of schedules. */
export const scheduleCatalog = {
  "schedule/syntax": (found: string, expected: string): Message => ({
    exit: "model",
    message: `found ${found}, expected ${expected}`,
    hint: "docs/schedules.md shows the text form",
  }),
  "schedule/unknown-name": (kernel: string, name: string): Message => ({
    exit: "model",
    message: `${kernel}: ${name} is used and not declared`,
  }),
  "schedule/no-path": (stmt: string, machine: string, from: string, to: string, core: string): Message => ({
    exit: "model",
    message: `\`${stmt}\`: ${machine} has no path from ${from} to ${to} on its ${core} cores`,
    hint: "moec targets NAME lists the paths",
  }),
  "schedule/crossed": (
    kernel: string,
    buffer: string,
    stmt: string,
    first: string,
    second: string,
  ): Message => ({
    exit: "model",
    message: `${kernel}: ${first} and ${second} both work on ${buffer} inside \`${stmt}\``,
    hint: "declare the buffer in that loop, so that it takes turns there",
  }),
  "schedule/deadlock": (kernel: string, cores: readonly string[]): Message => ({
    exit: "model",
    message: `${kernel} stands still: ${cores.join(", ")} await signals that nobody gives`,
  }),
  "schedule/never-set": (core: string, from: string, to: string, id: number): Message => ({
    exit: "model",
    message: `on ${core} cores ${to} waits for flag ${from} -> ${to} #${id}, which nobody has set`,
  }),
} as const;
