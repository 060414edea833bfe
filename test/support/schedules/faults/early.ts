/** Flags that are set anew before their last wait is sure to have run: numbers too few, so that what is pending does not fit. */
import type { FlagStmt, Part, Stmt } from "../../../../src/machine/schedule/kernel.ts";
import { statements } from "../../../../src/machine/schedule/kernel.ts";
import { lostSet } from "../starved.ts";
import { oneOf, type Fault } from "./fault.ts";

const isFlag = (it: Stmt): it is FlagStmt => it.kind === "set" || it.kind === "wait";

/** The flags of a part that take turns, each by one of its sets. */
const inTurn = ({ body }: Part): readonly FlagStmt[] =>
  statements(body).filter((it): it is FlagStmt => it.kind === "set" && it.copies > 1);

/** A part whose flag takes turns through one number less, wherever it is set and waited for. */
function withOneLess(part: Part, flag: FlagStmt): Part {
  const isSame = (it: FlagStmt): boolean => it.from === flag.from && it.to === flag.to && it.id === flag.id && it.copies === flag.copies; // prettier-ignore
  const less = (it: Stmt): Stmt => {
    if ("body" in it) return { ...it, body: it.body.map(less) };
    if (!isFlag(it) || !isSame(it)) return it;
    const copies = it.copies - 1;
    return { ...it, copies, ...(it.back !== undefined && { back: Math.min(it.back, copies) }) };
  };
  return { ...part, body: part.body.map(less) };
}

/** Some flags have numbers to spare, and some are handed back under them: only those that are set too early where an engine is late are faults. */
const oneLess: Fault = {
  name: "a flag of one number less",
  put: (kernel, pick, profile, trials) => {
    const part = oneOf(kernel.parts, pick);
    const flag = part && oneOf(inTurn(part), pick);
    if (!flag) return undefined;
    const parts = kernel.parts.map((it) => (it === part ? withOneLess(it, flag) : it));
    const broken = { ...kernel, parts };
    return trials.some((it) => lostSet(broken, profile, it) !== undefined) ? broken : undefined;
  },
  codes: ["schedule/set-early", "schedule/set-twice"],
};

export const earlyFaults: readonly Fault[] = [oneLess];
