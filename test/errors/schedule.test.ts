/** Texts that are no schedules are refused with the place of the fault, however deep they nest. */
import { expect, test } from "vitest";
import { parseKernel } from "../../src/machine/schedule/parser.ts";
import { CompileError, formatDiagnostic } from "../../src/support/diagnostics.ts";

const head = "kernel odd for chip\nsize S\ntensor x: f32[S] in\non cube {\n";

function faultOf(text: string): string {
  try {
    parseKernel(text);
    return "";
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    return error.diagnostics.map(formatDiagnostic).join("\n");
  }
}

test.each([
  ["parentheses", `let a = ${"(".repeat(100_000)}`, "at most 256 levels"],
  ["minus signs", `let a = ${"-".repeat(100_000)}1\n}\n`, "at most 256 levels"],
  ["calls", `let a = ${"min(1, ".repeat(100_000)}`, "at most 256 levels"],
  ["loops", "for i in 0 .. 2 {\n".repeat(100_000), "at most 256 levels"],
  ["sums", `let a = 1${" + 1".repeat(100_000)}\n}\n`, "at most 256 terms"],
  ["a buffer of three axes", "buffer b: ub f32[2, 3, 4]\n}\n", "its rows and its columns, 1 or more"],
  ["a buffer of one axis", "buffer b: ub f32[2]\n}\n", "its rows and its columns, 1 or more"],
  ["a buffer of nothing", "buffer b: ub f32[0, 3]\n}\n", "its rows and its columns, 1 or more"],
])("%s", (_, text, expected) => {
  const fault = faultOf(head + text);
  expect(fault).toMatch(/^error\[schedule\/syntax\]: found /);
  expect(fault).toContain(`expected ${expected}`);
  expect(fault).toMatch(/--> schedule:\d+:\d+$/m);
});
