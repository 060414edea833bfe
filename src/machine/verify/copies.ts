/** Whether buffers have the copies that flags and statements count on, however many turns their loops take. */
import { diag, type Diagnostic } from "../../support/diagnostics.ts";
import type { Profile } from "../profile.ts";
import { accesses, crossingOf, edgesOf, scopeOf, type Edge, type Scope } from "../schedule/handover.ts";
import { bodyOf, regionsOf, statements, type FlagStmt, type Kernel, type Stmt } from "../schedule/kernel.ts";
import { printStmt } from "../schedule/printer.ts";

/** Buffers of too few copies for what looks back at them, or for the flags that hand them back. */
export function copyFaults(kernel: Kernel, profile: Profile): readonly Diagnostic[] {
  return kernel.parts.flatMap((part) => {
    const scope = scopeOf(kernel, part, profile);
    return [
      ...idle(kernel, part.body),
      ...lookingBack(kernel, part.body),
      ...bodiesOf(part.body).flatMap((body) => [...unlike(kernel, body), ...handedBack(body, scope)]),
    ];
  });
}

/** Flags and signals that are to take turns where no loop is, so that they never do; flags that look back go by the turns of their loop. */
const idle = (kernel: Kernel, body: readonly Stmt[]): readonly Diagnostic[] =>
  body.flatMap((it) => {
    if (it.kind === "if") return idle(kernel, it.body);
    if (!("id" in it) || it.copies === 1 || ("back" in it && it.back !== undefined)) return [];
    return [
      diag(
        "schedule/copies",
        undefined,
        kernel.name,
        `flag ${it.id}`,
        1,
        `as \`${printStmt(it, kernel)}\` stands in no loop`,
      ),
    ];
  });

/** Sets and waits of one flag that take turns differently in one loop, so that they part company in a turn that is yet to come. */
function unlike(kernel: Kernel, body: readonly Stmt[]): readonly Diagnostic[] {
  const flags = ofTurn(body).filter((it): it is FlagStmt => it.kind === "set" || it.kind === "wait");
  return flags.flatMap((it, i) => {
    const other = flags.slice(i + 1).find((of) => of.from === it.from && of.to === it.to && of.id === it.id && of.copies !== it.copies); // prettier-ignore
    if (!other) return [];
    const what = `and \`${printStmt(other, kernel)}\` takes turns through ${other.copies}`;
    return [diag("schedule/copies", undefined, kernel.name, `\`${printStmt(it, kernel)}\``, it.copies, what)];
  });
}

/** The statements that take turns by one loop: those of its body, and of conditions there. */
const ofTurn = (body: readonly Stmt[]): readonly Stmt[] =>
  body.flatMap((it) => (it.kind === "if" ? [it, ...ofTurn(it.body)] : [it]));

/** The bodies of all loops. */
const bodiesOf = (body: readonly Stmt[]): readonly (readonly Stmt[])[] =>
  body.flatMap((it) => [...(it.kind === "for" ? [it.body] : []), ...bodiesOf(bodyOf(it))]);

/** Copies that are another turn's again by the time they are looked back at. */
function lookingBack(kernel: Kernel, body: readonly Stmt[]): readonly Diagnostic[] {
  const all = statements(body);
  return all.flatMap((stmt) =>
    regionsOf(stmt).flatMap(({ of, back = 0 }) => {
      const buffer = all.find((it) => it.kind === "buffer" && it.name === of);
      if (buffer?.kind !== "buffer" || back < buffer.copies) return [];
      const what = `and \`${printStmt(stmt, kernel)}\` looks ${back} turns back`;
      return [diag("schedule/copies", undefined, kernel.name, of, buffer.copies, what)];
    }),
  );
}

/** Buffers of a loop whose own flags let more turns be under way than there are copies: other flags may order them by chance. */
function handedBack(body: readonly Stmt[], scope: Scope): readonly Diagnostic[] {
  const { kernel } = scope;
  return body.flatMap((buffer) => {
    if (buffer.kind !== "buffer" || buffer.isFlagged || crossingOf(body, buffer, scope)) return [];
    const late = edgesOf(accesses(body, buffer, scope), buffer.copies, true).flatMap((edge) => {
      const own = edge.turns > 0 ? flagsOf(body, edge) : [];
      return own.length > 0 && own.every((it) => (it.back ?? it.copies) > edge.turns) ? own.slice(0, 1) : [];
    });
    const [flag] = late;
    return flag
      ? [
          diag(
            "schedule/copies",
            undefined,
            kernel.name,
            buffer.name,
            buffer.copies,
            `and \`${printStmt(flag, kernel)}\` takes more turns`,
          ),
        ]
      : [];
  });
}

/** The waits that stand around an edge: their flag is set behind the work that is waited for, and waited for before what comes next. */
function flagsOf(body: readonly Stmt[], { from, to }: Edge): readonly FlagStmt[] {
  const between = (it: Stmt): it is FlagStmt =>
    (it.kind === "set" || it.kind === "wait") && it.from === from.engine && it.to === to.engine;
  const isSetBehind = (wait: FlagStmt): boolean =>
    body.some(
      (it, i) =>
        it.kind === "set" && between(it) && it.id === wait.id && it.copies === wait.copies && i > from.last,
    );
  return body
    .slice(0, to.first)
    .filter(between)
    .filter((it) => it.kind === "wait" && isSetBehind(it));
}
