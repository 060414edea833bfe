/** What holds of all groups together: none goes beyond what the kernel gives or meets another there, and between them they fill it. */
import { diag, type Diagnostic } from "../../../support/diagnostics.ts";
import type { Profile } from "../../profile.ts";
import type { Kernel, Tensor } from "../../schedule/kernel.ts";
import type { PreparedPart } from "../../schedule/prepare.ts";
import { printStmt } from "../../schedule/printer.ts";
import { textOf, volume } from "../boxes.ts";
import { beyond } from "../places.ts";
import type { Trial } from "../verify.ts";
import { writtenByNumber } from "./by-number.ts";
import { dimsOf } from "./dims.ts";
import { firstGap } from "./gaps.ts";
import { firstMeeting } from "./meetings.ts";
import { isSeen } from "./outward.ts";
import { touchesOf, type Touch } from "./touches.ts";

/** What of each tensor a group first goes beyond, and the first place at which two meet; where there is neither, the first of each that nobody fills. */
export function groupFaults(
  kernel: Kernel,
  parts: readonly PreparedPart[],
  profile: Profile,
  trial: Trial,
): readonly Diagnostic[] {
  const touched = touchesOf(parts, profile, trial);
  const known = isFillKnown(parts, trial);
  const [wrong, missing]: [Diagnostic[], Diagnostic[]] = [[], []];
  for (const tensor of kernel.tensors.filter(({ role }) => isSeen(role))) {
    const touches = touched.get(tensor.name) ?? [];
    const dims = dimsOf(tensor, trial.sizes);
    wrong.push(...beyondBounds(kernel, tensor.name, dims, touches));
    const gap = known(tensor) ? firstGap(dims, touches.filter((it) => it.writes)) : undefined; // prettier-ignore
    if (gap || !known(tensor) || !areParts(dims, touches))
      wrong.push(...meetings(kernel, tensor.name, touches));
    if (gap) missing.push(diag("schedule/unfilled", undefined, kernel.name, textOf(tensor.name, gap)));
  }
  return wrong.length > 0 ? wrong : missing;
}

/** Whether what covers an array has no more elements than it, so that no two of its boxes meet. */
const areParts = (dims: readonly number[], touches: readonly Touch[]): boolean =>
  touches.reduce((n, it) => n + volume(it.size), 0) === volume(dims);

/** The first of what groups touch that is beyond a tensor. */
function beyondBounds(
  kernel: Kernel,
  tensor: string,
  dims: readonly number[],
  touches: readonly Touch[],
): readonly Diagnostic[] {
  for (const it of touches) {
    const what = beyond(tensor, dims, it);
    if (what !== undefined) return [diag("schedule/bounds", undefined, kernel.name, printStmt(it.it.operation.stmt, kernel), what)]; // prettier-ignore
  }
  return [];
}

function meetings(kernel: Kernel, tensor: string, touches: readonly Touch[]): readonly Diagnostic[] {
  const met = firstMeeting(touches);
  if (!met) return [];
  const [first, second] = met.map(({ it }) => printStmt(it.operation.stmt, kernel));
  const code = met.every((it) => it.writes) ? "schedule/two-writers" : "schedule/race";
  return [diag(code, undefined, kernel.name, first ?? "", second ?? "", tensor)];
}

/** Whether a tensor must be written whole. Of those that numbers decide on which the kernel reads, that is known only where the trial's make it so. */
function isFillKnown(
  parts: readonly PreparedPart[],
  { fills = () => false }: Trial,
): (tensor: Tensor) => boolean {
  const byNumber = new Set(parts.flatMap(writtenByNumber));
  return ({ name, role }) => role === "out" && (!byNumber.has(name) || fills(name));
}
