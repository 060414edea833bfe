import { fail } from "../../support/diagnostics.ts";
import type { DType } from "../../tensor/dtype.ts";
import type { Profile } from "../profile.ts";
import type { Kernel } from "../schedule/kernel.ts";
import { environment, preparePart, type PreparedPart } from "../schedule/prepare.ts";
import { walk, type Instruction, type Place, type Walk } from "../schedule/walk.ts";
import { transposed, valuesFor, viewOf, type Bound, type Values, type View } from "./memory.ts";
import { accumulate, copy, matmul, vector } from "./operate.ts";

/** What a launch is given: sizes by name, tensors by name. */
export type Launch = {
  readonly sizes: ReadonlyMap<string, number>;
  readonly tensors: ReadonlyMap<string, Bound>;
};

/** One core on its way through its part. */
type Runner = {
  readonly core: string;
  readonly index: number;
  readonly steps: Walk;
  readonly buffers: Values[][];
  waiting: Instruction | undefined;
  done: boolean;
};

/** Signals given and not yet taken: from which core, to which kind, of which number. */
type Signals = Map<string, number>;

/** A kernel ready to be carried out many times. */
export type Executable = (launch: Launch) => void;

/**
 * Make a kernel ready to be carried out on data, in the order of its text: flags order engines that this does not run apart. Cores of
 * a group run in turns, a core until it awaits a signal. Throws `schedule/deadlock` where all await.
 */
export function executable(kernel: Kernel, profile: Profile): Executable {
  const parts = kernel.parts.map((part) => preparePart(kernel, part, profile));
  const perGroup = new Map(profile.cores.map((it) => [it.name, it.perGroup.value]));
  return (launch) => {
    for (let group = 0; group < profile.groups.value; group++)
      runGroup(kernel, parts, perGroup, profile, launch, group);
  };
}

function runGroup(
  kernel: Kernel,
  parts: readonly PreparedPart[],
  perGroup: ReadonlyMap<string, number>,
  profile: Profile,
  launch: Launch,
  group: number,
): void {
  const shared = new Map<string, Bound>();
  const signals: Signals = new Map();
  const runners = parts.flatMap((part) => {
    const cores = perGroup.get(part.core) ?? 1;
    return Array.from({ length: cores }, (_, index): Runner => {
      const known = new Map([
        ...launch.sizes,
        ["group", group],
        ["groups", profile.groups.value],
        ["core", index],
        ["cores", cores],
      ]);
      const env = environment(part, known);
      for (const box of kernel.tensors)
        if (box.role === "shared" && !shared.has(box.name))
          shared.set(box.name, sharedTensor(kernel, part, box.name, env));
      const buffers = part.buffers.map(({ decl }) =>
        Array.from({ length: decl.copies }, () => valuesFor(decl.dtype, decl.rows * decl.cols)),
      );
      return {
        core: part.core,
        index,
        steps: walk(part.body, env),
        buffers,
        waiting: undefined,
        done: false,
      };
    });
  });
  const bound = (of: string): Bound =>
    launch.tensors.get(of) ?? shared.get(of) ?? fail("schedule/unknown-name", undefined, kernel.name, of);
  const context: Context = { kernel, bound, signals, perGroup, depthOf: (a) => depthOf(profile, a) };
  while (runners.some((it) => !it.done)) {
    const moved = runners.map((it) => advance(it, context));
    if (!moved.includes(true)) {
      const stuck = runners.filter((it) => !it.done).map((it) => it.core);
      fail("schedule/deadlock", undefined, kernel.name, stuck);
    }
  }
}

/** Scratch that the cores of a group share. */
function sharedTensor(kernel: Kernel, part: PreparedPart, of: string, env: number[]): Bound {
  const decl = kernel.tensors.find((it) => it.name === of);
  if (!decl) return fail("schedule/unknown-name", undefined, kernel.name, of);
  const dims = decl.dims.map((it) =>
    it.kind === "number" ? it.value : it.kind === "name" ? (env[part.known.get(it.name) ?? -1] ?? 0) : 0,
  );
  return {
    values: valuesFor(
      decl.dtype,
      dims.reduce((n, d) => n * d, 1),
    ),
    offset: 0,
    strides: rowMajor(dims),
  };
}

/** Strides of a tensor that lies row by row. */
export function rowMajor(dims: readonly number[]): readonly number[] {
  const strides = dims.map(() => 1);
  for (let i = dims.length - 2; i >= 0; i--) strides[i] = (strides[i + 1] ?? 1) * (dims[i + 1] ?? 1);
  return strides;
}

/** How many products the matrix unit sums at once. */
const depthOf = (profile: Profile, a: DType): number => profile.matrix.rates.find((it) => it.a === a)?.k ?? 1;

type Context = {
  readonly kernel: Kernel;
  readonly bound: (of: string) => Bound;
  readonly signals: Signals;
  readonly perGroup: ReadonlyMap<string, number>;
  readonly depthOf: (a: DType) => number;
};

/** Go on until the end or an `await` that is not fulfilled. Gives whether anything was done. */
function advance(runner: Runner, context: Context): boolean {
  if (runner.done) return false;
  let moved = false;
  if (runner.waiting) {
    if (!taken(runner, runner.waiting, context)) return false;
    runner.waiting = undefined;
    moved = true;
  }
  for (let answer: number | undefined; ;) {
    const step = runner.steps.next(answer);
    answer = undefined;
    if (step.done) {
      runner.done = true;
      return true;
    }
    const it = step.value;
    if (it.kind === "turn") continue;
    if (it.operation.stmt.kind === "await" && !taken(runner, it, context)) {
      runner.waiting = it;
      return moved;
    }
    moved = true;
    answer = carryOut(runner, it, context);
  }
}

const signalName = (fromCore: string, index: number, toCore: string, toIndex: number, id: number): string =>
  `${fromCore}.${index} ${toCore}.${toIndex} #${id}`;

/** Take the signals an `await` is for, one from each core of the kind, if all are there. */
function taken(
  { core, index }: Runner,
  { operation: { stmt }, id }: Instruction,
  { signals, perGroup }: Context,
): boolean {
  if (stmt.kind !== "await") return true;
  const names = Array.from({ length: perGroup.get(stmt.core) ?? 1 }, (_, i) =>
    signalName(stmt.core, i, core, index, id),
  );
  if (names.some((it) => (signals.get(it) ?? 0) === 0)) return false;
  for (const it of names) signals.set(it, (signals.get(it) ?? 0) - 1);
  return true;
}

function carryOut(
  runner: Runner,
  { operation, places, values, id }: Instruction,
  context: Context,
): number | undefined {
  const { stmt } = operation;
  const view = (place: Place | undefined): View => {
    if (!place) throw new Error(`${stmt.kind} lacks an operand`);
    const { box, copy: slot } = place;
    if (box.kind === "tensor") return viewOf(context.bound(box.decl.name), place);
    const own = runner.buffers[box.index]?.[slot];
    if (!own) throw new Error(`${box.decl.name} has no copy ${slot}`);
    return viewOf({ values: own, offset: 0, strides: [box.decl.cols, 1] }, place);
  };
  const dtype = (place: Place | undefined): DType => place?.box.decl.dtype ?? "f32";
  const [first, second, third] = places;
  switch (stmt.kind) {
    case "copy": {
      const from = stmt.transpose ? transposed(view(first)) : view(first);
      if (stmt.add) accumulate(from, view(second), dtype(second));
      else copy(from, view(second), { from: dtype(first), to: dtype(second) });
      return undefined;
    }
    case "matmul":
      matmul(view(first), view(second), view(third), values[0] !== 0, context.depthOf(dtype(first)));
      return undefined;
    case "vector": {
      const to = places.at(-1);
      vector(stmt.op, places.slice(0, -1).map(view), view(to), values, dtype(to));
      return undefined;
    }
    case "read": {
      const { values: array, starts } = view(first);
      return array[starts[0] ?? 0];
    }
    case "signal":
      for (let i = 0; i < (context.perGroup.get(stmt.core) ?? 1); i++) {
        const name = signalName(runner.core, runner.index, stmt.core, i, id);
        context.signals.set(name, (context.signals.get(name) ?? 0) + 1);
      }
      return undefined;
    case "set":
    case "wait":
    case "await":
      return undefined;
  }
}
