/** What holds of all groups together: none meets another in what it writes, and between them they fill what the kernel gives. */
import { diag, type Diagnostic } from "../../../support/diagnostics.ts";
import type { Profile } from "../../profile.ts";
import { compileExpr } from "../../schedule/expr.ts";
import type { Kernel, Tensor } from "../../schedule/kernel.ts";
import type { PreparedPart } from "../../schedule/prepare.ts";
import { printStmt } from "../../schedule/printer.ts";
import type { Extent } from "../boxes.ts";
import type { Trial } from "../verify.ts";
import { writtenByNumber } from "./by-number.ts";
import { firstGap } from "./gaps.ts";
import { firstMeeting } from "./meetings.ts";
import { touchesOf, type Touch } from "./touches.ts";

/** The first place of each tensor at which two groups meet; where they never do, the first of each that nobody fills. */
export function groupFaults(
  kernel: Kernel,
  parts: readonly PreparedPart[],
  profile: Profile,
  trial: Trial,
): readonly Diagnostic[] {
  const touched = touchesOf(parts, profile, trial);
  const met = [...touched].flatMap(([tensor, touches]) => meetings(kernel, tensor, touches));
  return met.length > 0 ? met : unfilled(kernel, parts, trial, touched);
}

function meetings(kernel: Kernel, tensor: string, touches: readonly Touch[]): readonly Diagnostic[] {
  const met = firstMeeting(touches);
  if (!met) return [];
  const [first, second] = met.map(({ it }) => printStmt(it.operation.stmt, kernel));
  const code = met.every((it) => it.writes) ? "schedule/two-writers" : "schedule/race";
  return [diag(code, undefined, kernel.name, first ?? "", second ?? "", tensor)];
}

/** What no group writes of the tensors that a kernel gives. Of those that numbers decide on which it reads, that is known only where the trial's make it whole. */
function unfilled(
  kernel: Kernel,
  parts: readonly PreparedPart[],
  { sizes, fills = () => false }: Trial,
  touched: ReadonlyMap<string, readonly Touch[]>,
): readonly Diagnostic[] {
  const byNumber = new Set(parts.flatMap(writtenByNumber));
  return kernel.tensors.flatMap((tensor) => {
    const { name, role } = tensor;
    if (role !== "out" || (byNumber.has(name) && !fills(name))) return [];
    const writes = (touched.get(name) ?? []).filter((it) => it.writes);
    const gap = firstGap(dimsOf(tensor, sizes), writes);
    return gap ? [diag("schedule/unfilled", undefined, kernel.name, textOf(name, gap))] : [];
  });
}

function dimsOf({ dims }: Tensor, sizes: Trial["sizes"]): readonly number[] {
  const names = [...sizes.keys()];
  const env = [...sizes.values()];
  return dims.map((it) => compileExpr(it, (of) => names.indexOf(of))(env));
}

const textOf = (tensor: string, { at, size }: Extent): string =>
  `${tensor}[${at.map((from, i) => `${from} : ${size[i]}`).join(", ")}]`;
