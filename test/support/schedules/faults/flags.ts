/** Faults of flags within a core, and of signals between cores. */
import type { FlagStmt, Kernel, Part, SignalStmt, Stmt } from "../../../../src/machine/schedule/kernel.ts";
import { statements } from "../../../../src/machine/schedule/kernel.ts";
import type { Code } from "../../../../src/support/diagnostics.ts";
import { change, oneOf, type Fault, type Pick } from "./fault.ts";

/** What a flag too few, too many or of the wrong kind brings about: which of them comes first depends on the kernel. */
const unpaired: readonly Code[] = [
  "schedule/never-set",
  "schedule/set-twice",
  "schedule/left-set",
  "schedule/race",
  "schedule/deadlock",
];
const isFlag = (it: Stmt): it is FlagStmt => it.kind === "set" || it.kind === "wait";
const isSignal = (it: Stmt): it is SignalStmt => it.kind === "signal" || it.kind === "await";

const dropped = (name: string, kind: Stmt["kind"], codes: readonly Code[] = unpaired): Fault => ({
  name,
  put: (kernel, pick) => change(kernel, pick, (it) => (it.kind === kind ? [] : undefined)),
  codes,
});

/** A flag changed to another. */
const altered = (name: string, by: (it: FlagStmt) => FlagStmt, codes = unpaired): Fault => ({
  name,
  put: (kernel, pick) => change(kernel, pick, (it) => (isFlag(it) ? [by(it)] : undefined)),
  codes,
});

/** A flag whose one engine is another of its core. */
const otherEngine: Fault = {
  name: "a flag of another engine",
  put: (kernel, pick, { engines }) =>
    change(kernel, pick, (it, { core }) => {
      if (!isFlag(it)) return undefined;
      const others = engines.filter((e) => e.core === core && e.name !== it.from && e.name !== it.to);
      const [other] = others;
      return other && [{ ...it, from: other.name }];
    }),
  codes: unpaired,
};

/** As many signals more than a counter counts, given before the first and awaited behind the last. */
const overflow: Fault = {
  name: "more signals than a counter counts",
  put: (kernel, pick, { flags }) => {
    const most = flags.cross?.counterMax.value;
    const signal = oneOf(statementsOf(kernel).filter((it) => it.kind === "signal"), pick); // prettier-ignore
    const giver = kernel.parts.find((it) => signal && statements(it.body).includes(signal));
    if (most === undefined || signal?.kind !== "signal" || !giver) return undefined;
    const awaited = awaitOf(kernel, signal, giver);
    if (!awaited) return undefined;
    const many = <T>(it: T): readonly T[] => Array.from({ length: most + 1 }, () => it);
    const given: Stmt = { ...signal, copies: 1 };
    const taken: Stmt = { ...awaited, id: signal.id, copies: 1 };
    const parts = kernel.parts.map((it): Part => {
      if (it === giver) return { ...it, body: [...many(given), ...it.body] };
      return it.core === signal.core ? { ...it, body: [...it.body, ...many(taken)] } : it;
    });
    return { ...kernel, parts };
  },
  codes: ["schedule/counter"],
};

const statementsOf = ({ parts }: Kernel): readonly Stmt[] => parts.flatMap((it) => statements(it.body));
const awaitOf = (kernel: Kernel, signal: SignalStmt, giver: Part): SignalStmt | undefined =>
  kernel.parts
    .filter((it) => it.core === signal.core)
    .flatMap((it) => statements(it.body))
    .find((it): it is SignalStmt => it.kind === "await" && it.core === giver.core);

/** A signal or an await of another number. */
const otherSignal: Fault = {
  name: "a signal of another number",
  put: (kernel: Kernel, pick: Pick) =>
    change(kernel, pick, (it) => (isSignal(it) ? [{ ...it, id: it.id + 1 }] : undefined)),
  codes: [...unpaired, "schedule/unwritten", "schedule/flag-budget"],
};

export const flagFaults: readonly Fault[] = [
  dropped("a flag not set", "set"),
  dropped("a flag not waited for", "wait"),
  altered("a set and a wait exchanged", (it) => ({ ...it, kind: it.kind === "set" ? "wait" : "set" })),
  altered("a flag of another number", (it) => ({ ...it, id: it.id + 1 }), [
    ...unpaired,
    "schedule/flag-budget",
  ]),
  altered("a flag the other way round", (it) => ({ ...it, from: it.to, to: it.from })),
  otherEngine,
  altered("a flag that takes one turn more", (it) => ({ ...it, copies: it.copies + 1 }), [...unpaired, "schedule/flag-budget", "schedule/copies"]), // prettier-ignore
];

export const signalFaults: readonly Fault[] = [
  dropped("a signal not given", "signal", [...unpaired, "schedule/unwritten"]),
  dropped("a signal not awaited", "await", [...unpaired, "schedule/unwritten", "schedule/counter"]),
  otherSignal,
  overflow,
];
