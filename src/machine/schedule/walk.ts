import type { Env } from "./expr.ts";
import type { Box, Loop, Operation, Prepared, PreparedRegion } from "./prepare.ts";

/** A region as it stands at one moment: which copy of a buffer, where it starts, how large it is. */
export type Place = {
  readonly box: Box;
  readonly copy: number;
  readonly at: readonly number[];
  readonly size: readonly number[];
};

/** One instruction given to an engine. */
export type Instruction = {
  readonly kind: "instruction";
  readonly operation: Operation;
  readonly places: readonly Place[];
  readonly values: readonly number[];
  /** The number of a flag or signal, its turn taken into account. */
  readonly id: number;
};

/** A loop about to begin a turn, with so many turns to go, this one counted. Answering n leaves the next n turns out. */
export type Turn = {
  readonly kind: "turn";
  readonly loop: Loop;
  /** Turns of this run of the loop that were taken or left out before. */
  readonly index: number;
  readonly left: number;
};

/** What a run answers: to a `read`, the number read; to a turn, how many to leave out. */
export type Answer = number | undefined;

/** Goes on to the next step, given the answer to the last; undefined at the end. */
export type Walk = (answer: Answer) => Instruction | Turn | undefined;

// Loops, not closures, in what walking through a kernel spends its time on.

/** A region as it stands now, or undefined where it has no elements. */
function placeOf({ box, at, size: sizeIn, back }: PreparedRegion, env: Env): Place | undefined {
  const size = sizeIn(env);
  for (const n of size) if (n <= 0) return undefined;
  const copies = box.kind === "buffer" ? box.decl.copies : 1;
  const copy = box.kind === "buffer" ? ((env[box.turn] ?? 0) + copies - back) % copies : 0;
  return { box, copy, at: at(env), size };
}

/** A body on the way: what of it is next and, of a loop's, the turns. */
type Frame = {
  readonly body: readonly Prepared[];
  next: number;
  readonly loop: Loop | undefined;
  readonly first: number;
  readonly by: number;
  readonly turns: number;
  /** Turns taken or left out, the one that is under way not counted. */
  index: number;
};

/** Run through a part as its scalar unit does, handing each instruction on in the order of the text. */
export function walk(body: readonly Prepared[], env: Env): Walk {
  const once = { next: 0, loop: undefined, first: 0, by: 0, turns: 1, index: 0 };
  const frames: Frame[] = [{ body, ...once }];
  let asked: Operation | Frame | undefined;
  const goOn = (answer: Answer): void => {
    if (!asked) return;
    if ("kind" in asked) {
      if (asked.slot >= 0) env[asked.slot] = answer ?? 0;
    } else skip(asked, answer ?? 0, env);
    asked = undefined;
  };
  return (answer) => {
    goOn(answer);
    for (let frame = frames.at(-1); frame; frame = frames.at(-1)) {
      const it = frame.body[frame.next];
      if (!it || frame.index >= frame.turns) {
        const turn = endOf(frame, env);
        if (!turn) frames.pop();
        else {
          asked = frame;
          return turn;
        }
        continue;
      }
      frame.next++;
      if (it.kind === "let") env[it.slot] = it.value(env);
      else if (it.kind === "if") {
        if (it.when(env) !== 0) frames.push({ body: it.body, ...once });
      } else if (it.kind === "loop") {
        // It stands behind its body, before its first turn.
        frames.push({ body: it.body, next: it.body.length, loop: it, ...boundsOf(it, env), index: -1 });
      } else {
        const instruction = instructionOf(it, env);
        if (!instruction) continue;
        asked = it;
        return instruction;
      }
    }
    return undefined;
  };
}

/** Behind a body: the turn that is about to begin, if there is another. */
function endOf(frame: Frame, env: Env): Turn | undefined {
  const { loop, turns } = frame;
  if (!loop) return undefined;
  if (frame.index >= 0 && frame.index < turns) env[loop.turn] = (env[loop.turn] ?? 0) + 1;
  frame.index++;
  return frame.index < turns
    ? { kind: "turn", loop, index: frame.index, left: turns - frame.index }
    : undefined;
}

/** Begin a turn, so many being left out. */
function skip(frame: Frame, asked: number, env: Env): void {
  const { loop, first, by, turns } = frame;
  if (!loop) return;
  const skipped = Math.min(turns - frame.index, asked);
  frame.index += skipped;
  env[loop.turn] = (env[loop.turn] ?? 0) + skipped;
  env[loop.slot] = first + frame.index * by;
  frame.next = 0;
}

/** An operation as it stands now, or undefined where it has no work to do. */
function instructionOf(operation: Operation, env: Env): Instruction | undefined {
  const places: Place[] = [];
  for (const region of operation.regions) {
    const place = placeOf(region, env);
    if (!place) return undefined;
    places.push(place);
  }
  const { stmt, values, turn, back } = operation;
  const id = "id" in stmt ? stmt.id + (((env[turn] ?? 0) + stmt.copies - back) % stmt.copies) : -1;
  return { kind: "instruction", operation, places, values: values(env), id };
}

/** What looks over a body from afar: at each instruction, which stands for so many like it, and at each loop with its number of turns. */
export type Onlooker = {
  /** Turns at either end of a loop to look at; 1 where it is not said. */
  readonly ends?: (loop: Loop) => number;
  /** To a `read`, the number read. */
  readonly instruction: (it: Instruction, times: number) => Answer;
  readonly loop?: (turns: number) => void;
};

/**
 * As `walk`, but of every loop only a few turns at its beginning and its end: enough to tell what the rest lies between. The last of
 * those at the beginning stands for all that are left out.
 */
export function sketch(body: readonly Prepared[], env: Env, onlooker: Onlooker, times = 1): void {
  for (const it of body) {
    switch (it.kind) {
      case "let":
        env[it.slot] = it.value(env);
        break;
      case "if":
        if (it.when(env) !== 0) sketch(it.body, env, onlooker, times);
        break;
      case "loop": {
        const { first, by, turns } = boundsOf(it, env);
        onlooker.loop?.(turns);
        const ends = onlooker.ends?.(it) ?? 1;
        const middle = Math.max(0, turns - 2 * ends);
        for (let i = 0; i < turns; i += i === ends - 1 ? 1 + middle : 1) {
          env[it.slot] = first + i * by;
          sketch(it.body, env, onlooker, i === ends - 1 ? times * (1 + middle) : times);
        }
        break;
      }
      case "operation": {
        const instruction = instructionOf(it, env);
        if (!instruction) break;
        const answer = onlooker.instruction(instruction, times);
        if (it.slot >= 0) env[it.slot] = answer ?? 0;
        break;
      }
    }
  }
}

/** Where a loop begins, by how much it goes on, and how many turns it has. */
export function boundsOf(
  { from, to, step }: Loop,
  env: Env,
): { readonly first: number; readonly by: number; readonly turns: number } {
  const [first, end, by] = [from(env), to(env), Math.max(1, step(env))];
  return { first, by, turns: Math.max(0, Math.ceil((end - first) / by)) };
}

/** What a loop counts through. */
export function turnsOf(loop: Loop, env: Env): readonly number[] {
  const { first, by, turns } = boundsOf(loop, env);
  return Array.from({ length: turns }, (_, i) => first + i * by);
}
