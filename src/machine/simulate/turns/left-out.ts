/** Which turns of the cores of a group are left out, of each for itself or all together. */
import type { Profile } from "../../profile.ts";
import type { Core, Meeting } from "../../schedule/cores.ts";
import type { Loop, PreparedPart } from "../../schedule/prepare.ts";
import type { Turn } from "../../schedule/walk.ts";
import type { Reader } from "../reader.ts";
import { sideBySide } from "../reads/loads.ts";
import { formsOf, shortener, type Form } from "./forms.ts";
import type { Clocks } from "./moment.ts";
import { signallingLoops, skipper } from "./steady.ts";
import { repeating, type Repeat } from "./repeat.ts";
import { ringsOf } from "./rings.ts";
import { clockOf, teamOf, type Team } from "./team.ts";

/** What turns depend on besides their form. */
export type Conditions = {
  readonly reader: Reader;
  /** Turns under different ones take different times. */
  readonly of: (round: number) => string;
  /** Loops whose later turns come back to what the first has read. */
  readonly again: ReadonlySet<Loop>;
};

/** What leaves out turns on the way, and in the end lets the time pass that they take. */
export type LeftOut = {
  /** How many turns a core leaves out from this one on. */
  readonly from: (core: Core, turn: Turn) => number;
  /** How many turns cores leave out that wait for one another before these. */
  readonly meeting?: Meeting<number>;
  readonly settle: () => void;
};

/** What of a group's turns is left out. `ahead` are the same cores, to look at their turns with before any of these is taken. */
export function leavingOut(
  parts: readonly PreparedPart[],
  clocks: Clocks,
  ahead: readonly Core[],
  profile: Profile,
  conditions: Conditions,
): LeftOut {
  const cores = [...clocks.keys()];
  const areJoined = parts.some((it) => signallingLoops(it).length > 0);
  const loops = new Map(parts.map((it) => [it, areJoined ? signallingLoops(it) : outermost(it)]));
  const looks = new Map(parts.map((it) => [it, formsOf(it, conditions.reader, loops.get(it) ?? [], conditions.of)])); // prettier-ignore
  const forms = new Map(cores.map((core, i) => [core, formsAhead(looks, ahead[i])]));
  const inner = new Map(
    cores.map((core) => [core, skipper(core.part, core.env, conditions.reader, conditions.again)]),
  );
  const skipped = (core: Core, turn: Turn): number => inner.get(core)?.(turn, clockOf(clocks, core)) ?? 0;
  const isAt = (core: Core, { loop }: Turn): boolean => loops.get(core.part)?.includes(loop) === true;
  const isOne = [...loops.values()].every((it) => it.length === 1);
  const teamFor = (some: readonly Core[]): Team =>
    teamOf(some, clocks, forms, ringsOf(some, profile), isOne ? repeatOf(some, forms) : undefined);
  if (areJoined) {
    const team = teamFor(cores);
    return { from: skipped, meeting: { isAt, held: team.held }, settle: team.settle };
  }
  const teams = new Map(cores.map((core) => [core, teamFor([core])]));
  return {
    from: (core, turn) =>
      isAt(core, turn)
        ? (teams.get(core)?.held(new Map([[core, turn]]), new Map(), true) ?? 0)
        : skipped(core, turn),
    settle: () => teams.forEach((it) => it.settle()),
  };
}

const outermost = ({ body }: PreparedPart): readonly Loop[] => body.filter((it) => it.kind === "loop");

const formsAhead = (
  looks: ReadonlyMap<PreparedPart, (env: Core["env"]) => readonly Form[]>,
  core: Core | undefined,
): readonly Form[] => (core && looks.get(core.part)?.(core.env)) ?? [];

/** What several cores do in a turn, as one. */
const joined = (of: readonly Form[]): Form => ({
  shape: of.map((it) => it.shape).join("/"),
  rounds: of.flatMap((it) => it.rounds),
  instructions: of.reduce((n, it) => n + it.instructions, 0),
});

/**
 * Turns told apart by what stands before them, since they begin while it ends: the shape of the last that had work, and how many turns
 * without any have followed it.
 */
function inContext(forms: readonly Form[]): readonly Form[] {
  const short = shortener();
  let [last, idle] = ["", 0];
  return forms.map((it) => {
    const shape = short(`${it.shape} after ${idle} and ${last}`);
    [last, idle] = it.instructions > 0 ? [it.shape, 0] : [last, idle + 1];
    return { ...it, shape };
  });
}

/** What takes turns of cores for those that they are like, where all have the same number of turns. */
function repeatOf(cores: readonly Core[], forms: ReadonlyMap<Core, readonly Form[]>): Repeat | undefined {
  const own = cores.map((it) => forms.get(it) ?? []);
  if (own.some((it) => it.length !== own[0]?.length)) return undefined;
  return repeating(inContext(sideBySide(own, joined)));
}
