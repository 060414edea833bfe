/** What the turns of outermost loops read of memory, turn by turn, without walking through them. */
import { dtypes } from "../../../tensor/dtype.ts";
import type { Env } from "../../schedule/expr.ts";
import type { Box as Named, PreparedPart, PreparedRegion } from "../../schedule/prepare.ts";
import { boundsOf } from "../../schedule/walk.ts";
import type { Reader } from "../reader.ts";
import { isSaying, remembering, say, type Said } from "./names.ts";
import { countedAs, type Nest, type Outline, type Step } from "./nest.ts";

/** A box of a tensor by where it begins; boxes that begin at one place are taken to lie in one another. */
export type Box = { readonly tensor: string };

/** A copy that reads of a box, whichever cores do: the name under which it is counted, and whether others have brought it. */
export type Visit = { readonly box: Box; readonly counted: string; readonly isBrought: boolean };

/** What a copy reads in a turn. */
export type Reading = {
  readonly visit: Visit;
  /** Bytes of the box that holds all of it. */
  readonly extent: number;
  /** Bytes read where the copy has not been before in the turn, and where it comes back. */
  readonly first: number;
  readonly again: number;
};

/** What each turn of the outermost loops of a core reads. */
export type Turns = readonly (readonly Reading[])[];

/** Turns at either end of uneven loops that are looked at. */
const ends = 4;

/** Boxes that are known, by tensor and the element that they begin at. */
export type Boxes = Map<string, Map<number, Box>>;

/** The readings of a part of a kernel, for any core; what two of them read alike is worked out once. */
export function readingsOf(
  { body }: PreparedPart,
  outlines: readonly Outline[],
  reader: Reader,
  boxes: Boxes,
): (env: Env) => Turns {
  const known = new Map(
    outlines.map(({ loop, prefix, nests }) => {
      const looks = nests.map((nest) => looking(nest, reader, boxes));
      return [loop, turnOf(prefix, looks, reader)] as const;
    }),
  );
  return (env) => {
    const turns: (readonly Reading[])[] = [];
    for (const it of body) {
      if (isSaying(it)) say(it, env, reader); // to what follows
      const turn = it.kind === "loop" ? known.get(it) : undefined;
      if (it.kind !== "loop" || !turn) continue;
      const { first, by, turns: n } = boundsOf(it, env);
      for (let i = 0; i < n; i++) {
        env[it.slot] = first + i * by;
        turns.push(turn(env));
      }
    }
    return turns;
  };
}

type Look = (env: Env) => Reading | undefined;

const turnOf =
  (prefix: readonly Said[], looks: readonly Look[], reader: Reader) =>
  (env: Env): readonly Reading[] => {
    for (const it of prefix) say(it, env, reader);
    const found: Reading[] = [];
    for (const look of looks) {
      const reading = look(env);
      if (reading) found.push(reading);
    }
    return found;
  };

/** What a copy reads in a turn, wherever it begins on its fixed axes. */
type Extent = Pick<Reading, "extent" | "first" | "again"> & {
  readonly low: readonly number[];
  /** The loops' numbers where it reads first. */
  readonly begins: readonly number[];
};

/** What a copy reads; its extent is worked out once for equal inputs. */
function looking(nest: Nest, reader: Reader, boxes: Boxes): Look {
  const [source] = nest.copy.regions;
  const extentIn = remembering(nest.inputs, (env) => source && extentOf(nest, source, env, reader));
  const visits = new Map<number, Visited>();
  const [counted, { isBrought }] = [countedAs(nest), nest];
  return (env) => {
    const found = extentIn(env);
    if (!found || source?.box.kind !== "tensor") return undefined;
    const { extent, first, again } = found;
    if (nest.isScattered) return { visit: { box: { tensor: source.box.decl.name }, counted, isBrought }, extent: first, first, again }; // prettier-ignore
    if (nest.wanders) goTo(nest.steps, found.begins, env, reader);
    const start = startOf(source.box, source.at(env), found.low, nest.isFixed, env);
    let visited = visits.get(start);
    if (visited?.found === found) return visited.reading;
    const visit = visited?.reading.visit ?? {
      box: boxAt(boxes, source.box.decl.name, start),
      counted,
      isBrought,
    };
    visits.set(start, (visited = { found, reading: { visit, extent, first, again } }));
    return visited.reading;
  };
}

/** What was read last where a copy begins. */
type Visited = { readonly found: Extent; readonly reading: Reading };

/** The element of a tensor that a box begins at. */
function startOf(
  { dims }: Extract<Named, { kind: "tensor" }>,
  at: readonly number[],
  low: readonly number[],
  isFixed: readonly boolean[],
  env: Env,
): number {
  let start = 0;
  for (let i = 0; i < dims.length; i++)
    start = start * (dims[i]?.(env) ?? 1) + ((isFixed[i] ? at[i] : low[i]) ?? 0);
  return start;
}

/** Elements read so far, and the box that holds them. */
type Sum = { first: number; again: number; readonly low: number[]; readonly high: number[] };

function extentOf(
  { steps, isFixed, wanders }: Nest,
  source: PreparedRegion,
  env: Env,
  reader: Reader,
): Extent | undefined {
  const sum: Sum = { first: 0, again: 0, low: [], high: [] };
  let begins: readonly number[] = [];
  const include = (once: number, all: number): void => {
    const isNew = sum.first === 0;
    add(sum, source.at(env), source.size(env), once, all);
    if (isNew) begins = steps.flatMap((it) => (it.kind === "loop" ? [env[it.loop.slot] ?? 0] : []));
  };
  follow(steps, 0, env, reader, 1, 1, include);
  if (sum.first === 0) return undefined;
  const bytes = dtypes[source.box.decl.dtype].bits / 8;
  let extent = bytes;
  sum.low.forEach((from, axis) => {
    const wide = (sum.high[axis] ?? 0) - from;
    extent *= wanders && isFixed[axis] && source.isOne[axis] ? 1 : wide;
  });
  const [first, again] = [sum.first * bytes, sum.again * bytes];
  return { extent: wanders ? Math.max(extent, first) : extent, first, again, low: sum.low, begins };
}

/** Bring names to what they stand for where a copy reads first. */
function goTo(steps: readonly Step[], begins: readonly number[], env: Env, reader: Reader): void {
  let loop = 0;
  for (const it of steps)
    if (it.kind === "loop") env[it.loop.slot] = begins[loop++] ?? 0;
    else if (it.kind !== "if") say(it, env, reader);
}

/** Go on from a step; what is found behind it counts so many times, and so many with those that come back. */
function follow(
  steps: readonly Step[],
  from: number,
  env: Env,
  reader: Reader,
  once: number,
  all: number,
  found: (once: number, all: number) => void,
): void {
  for (let at = from; at < steps.length; at++) {
    const step = steps[at];
    if (!step) break;
    if (step.kind === "if") {
      if (step.when(env) === 0) return;
    } else if (step.kind !== "loop") say(step, env, reader);
    else {
      const { loop, way } = step;
      const { first, by, turns } = boundsOf(loop, env);
      if (turns === 0) return;
      env[loop.slot] = first;
      if (way === "again") {
        all *= turns;
        continue;
      }
      const looked = way === "even" ? 1 : ends;
      const middle = Math.max(0, turns - 2 * looked);
      for (let i = 0; i < turns; i++) {
        env[loop.slot] = first + i * by;
        const times = i === looked - 1 ? 1 + middle : 1;
        follow(steps, at + 1, env, reader, once * times, all * times, found);
        i += times - 1;
      }
      return;
    }
  }
  found(once, all);
}

function add(sum: Sum, at: readonly number[], size: readonly number[], once: number, all: number): void {
  let elements = 1;
  for (const n of size) elements *= Math.max(0, n);
  if (elements === 0) return;
  sum.first += once * elements;
  sum.again += (all - once) * elements;
  const isNew = sum.low.length === 0;
  for (let i = 0; i < at.length; i++) {
    const from = at[i] ?? 0;
    const to = from + (size[i] ?? 1);
    sum.low[i] = isNew ? from : Math.min(sum.low[i] ?? 0, from);
    sum.high[i] = isNew ? to : Math.max(sum.high[i] ?? 0, to);
  }
}

/** The box of a tensor that begins at an element. */
function boxAt(boxes: Boxes, tensor: string, start: number): Box {
  let known = boxes.get(tensor);
  if (!known) boxes.set(tensor, (known = new Map()));
  const box = known.get(start) ?? { tensor };
  known.set(start, box);
  return box;
}
