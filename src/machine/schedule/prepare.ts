import { globalSpace, scalarEngine, type Path, type Profile } from "../profile.ts";
import { fail } from "../../support/diagnostics.ts";
import {
  compileExpr,
  compileList,
  constantOf,
  namesOf,
  num,
  type Compiled,
  type CompiledList,
  type Env,
  type Expr,
} from "./expr.ts";
import {
  builtins,
  regionsOf,
  turnName,
  type BufferStmt,
  type Kernel,
  type Part,
  type Region,
  type Stmt,
  type Tensor,
} from "./kernel.ts";
import { printStmt } from "./printer.ts";

/** A buffer of one part, or a tensor of the kernel, with what a run needs to know of it. */
export type Box =
  | { readonly kind: "buffer"; readonly index: number; readonly decl: BufferStmt; readonly turn: number }
  | {
      readonly kind: "tensor";
      readonly index: number;
      readonly decl: Tensor;
      readonly dims: readonly Compiled[];
    };

export type PreparedRegion = {
  readonly box: Box;
  readonly back: number;
  readonly at: CompiledList;
  readonly size: CompiledList;
  /** By where it begins and by its size, axis by axis. */
  readonly uses: { readonly at: readonly Uses[]; readonly size: readonly Uses[] };
  /** Whether it is one element wide, axis by axis, whatever names stand for. */
  readonly isOne: readonly boolean[];
};

/** The slots of the names that something reads of itself, not through other names. */
export type Uses = readonly number[];

/** An instruction that an engine carries out, its regions still depending on the environment. */
export type Operation = {
  readonly kind: "operation";
  readonly stmt: Exclude<Stmt, { kind: "for" | "if" | "let" | "buffer" }>;
  readonly engine: string;
  /** The path that a copy takes. */
  readonly path: Path | undefined;
  /** What the two that it goes between are called together: the spaces of a copy, or the engines of a flag with each of its numbers. */
  readonly names: readonly string[];
  /** Operands, then the result. */
  readonly regions: readonly PreparedRegion[];
  /** `first` of a product, or the numbers of a vector operator. */
  readonly values: CompiledList;
  /** The slot of a `read`'s name. */
  readonly slot: number;
  /** The turn counter of the loop it stands in, or by which a flag goes that looks back where there is no loop. */
  readonly turn: number;
  /** Turns by which a flag looks back. */
  readonly back: number;
};

export type Loop = {
  readonly kind: "loop";
  readonly slot: number;
  readonly turn: number;
  /** Turns after which buffers and flags of this loop are where they were. */
  readonly period: number;
  readonly from: Compiled;
  readonly to: Compiled;
  readonly step: Compiled;
  /** By its bounds. */
  readonly uses: Uses;
  readonly body: readonly Prepared[];
};

export type Prepared =
  | Operation
  | Loop
  | { readonly kind: "if"; readonly when: Compiled; readonly uses: Uses; readonly body: readonly Prepared[] }
  | { readonly kind: "let"; readonly slot: number; readonly uses: Uses; readonly value: Compiled };

export type PreparedPart = {
  readonly core: string;
  readonly body: readonly Prepared[];
  readonly buffers: readonly Extract<Box, { kind: "buffer" }>[];
  readonly slots: number;
  /** The environment's places of what is known before the first statement: builtins, then the kernel's sizes. */
  readonly known: ReadonlyMap<string, number>;
  readonly loops: readonly Loop[];
};

/** The engine that carries out a statement on a core of a kind. Throws `schedule/no-path` where the machine has none. */
export function engineOf(
  stmt: Operation["stmt"],
  core: string,
  spaceOf: (region: Region) => string,
  profile: Profile,
  kernel: Kernel,
): string {
  switch (stmt.kind) {
    case "copy": {
      const [from, to] = [spaceOf(stmt.from), spaceOf(stmt.to)];
      const path = pathOf(profile, core, from, to);
      return (
        path?.engine ??
        fail("schedule/no-path", undefined, printStmt(stmt, kernel), profile.name, from, to, core)
      );
    }
    case "matmul":
      return profile.matrix.engine;
    case "vector":
      return profile.vector.engine;
    case "read":
      return scalarEngine;
    case "set":
      return stmt.from;
    case "wait":
      return stmt.to;
    case "signal":
    case "await":
      return stmt.engine;
  }
}

function namesOfEnds(stmt: Operation["stmt"], path: Path | undefined): readonly string[] {
  if (path) return [`${path.from} ${path.to}`];
  if (stmt.kind !== "set" && stmt.kind !== "wait") return [];
  return Array.from({ length: stmt.copies }, (_, i) => `${stmt.from} ${stmt.to} ${stmt.id + i}`);
}

/** The path from one space to another that a core of a kind has. */
export const pathOf = (profile: Profile, core: string, from: string, to: string) =>
  profile.paths.find((it) => it.core === core && it.from === from && it.to === to);

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
export const lcm = (a: number, b: number): number => (a / gcd(a, b)) * b;

/** Resolve the names of a part, and turn its expressions into functions. */
export function preparePart(kernel: Kernel, part: Part, profile: Profile): PreparedPart {
  const names: Map<string, number>[] = [new Map()];
  const boxes: Map<string, Box>[] = [new Map()];
  const buffers: Extract<Box, { kind: "buffer" }>[] = [];
  const loops: Loop[] = [];
  let slots = 0;
  const find = <T>(scopes: readonly Map<string, T>[], of: string): T => {
    for (let i = scopes.length - 1; i >= 0; i--) {
      const found = scopes[i]?.get(of);
      if (found !== undefined) return found;
    }
    return fail("schedule/unknown-name", undefined, kernel.name, of);
  };
  const declare = (of: string): number => {
    names.at(-1)?.set(of, slots);
    return slots++;
  };
  const slotOf = (of: string): number => find(names, of);
  const compile = (e: Expr): Compiled => compileExpr(e, slotOf);
  const usesOf = (of: readonly Expr[]): Uses => [...new Set(of.flatMap(namesOf).map(slotOf))];
  for (const of of [...builtins, ...kernel.sizes]) declare(of);
  const outermost = slots++; // the turn of what stands in no loop is always 0
  const known = new Map(names[0]);
  kernel.tensors.forEach((decl, index) =>
    boxes[0]?.set(decl.name, { kind: "tensor", index, decl, dims: decl.dims.map(compile) }),
  );
  const region = ({ of, at, size, back = 0 }: Region): PreparedRegion => ({
    box: find(boxes, of),
    back,
    at: compileList(at, slotOf),
    size: compileList(size, slotOf),
    uses: { at: at.map((it) => usesOf([it])), size: size.map((it) => usesOf([it])) },
    isOne: size.map((it) => constantOf(it) === 1),
  });
  const spaceOf = ({ of }: Region): string => {
    const box = find(boxes, of);
    return box.kind === "buffer" ? box.decl.space : globalSpace;
  };

  /** The turn counters of the loops in which flags take turns, by flag. */
  const flagTurns = new Map<string, number>();
  const turnOf = (stmt: Operation["stmt"], around: number): number => {
    if ((stmt.kind !== "set" && stmt.kind !== "wait") || stmt.copies === 1) return around;
    const flag = `${stmt.from} ${stmt.to} ${stmt.id}`;
    if (around !== outermost) flagTurns.set(flag, around);
    return flagTurns.get(flag) ?? around;
  };
  const operation = (stmt: Operation["stmt"], around: number): Operation => {
    const path = stmt.kind === "copy" ? pathOf(profile, part.core, spaceOf(stmt.from), spaceOf(stmt.to)) : undefined; // prettier-ignore
    const values = stmt.kind === "matmul" ? [stmt.first] : stmt.kind === "vector" ? stmt.values : [];
    return {
      kind: "operation",
      stmt,
      engine: engineOf(stmt, part.core, spaceOf, profile, kernel),
      path,
      names: namesOfEnds(stmt, path),
      regions: regionsOf(stmt).map(region),
      values: compileList(
        values.map((it) => (typeof it === "number" ? num(it) : it)),
        slotOf,
      ),
      slot: stmt.kind === "read" ? declare(stmt.name) : -1,
      turn: turnOf(stmt, around),
      back: "back" in stmt ? stmt.back : 0,
    };
  };
  const block = (body: readonly Stmt[], turn: number): readonly Prepared[] => {
    names.push(new Map());
    boxes.push(new Map());
    const prepared = body.flatMap((stmt): readonly Prepared[] => {
      switch (stmt.kind) {
        case "buffer": {
          const box = { kind: "buffer", index: buffers.length, decl: stmt, turn } as const;
          buffers.push(box);
          boxes.at(-1)?.set(stmt.name, box);
          return [];
        }
        case "for": {
          const [from, to, step] = [compile(stmt.from), compile(stmt.to), compile(stmt.step)];
          const uses = usesOf([stmt.from, stmt.to, stmt.step]);
          names.push(new Map());
          const slot = declare(stmt.name);
          const own = declare(turnName);
          const inside = block(stmt.body, own);
          names.pop();
          const loop: Loop = {
            kind: "loop",
            slot,
            turn: own,
            period: periodOf(stmt.body),
            from,
            to,
            step,
            uses,
            body: inside,
          };
          loops.push(loop);
          return [loop];
        }
        case "if":
          return [{ kind: "if", when: compile(stmt.when), uses: usesOf([stmt.when]), body: block(stmt.body, turn) }]; // prettier-ignore
        case "let": {
          const [value, uses] = [compile(stmt.value), usesOf([stmt.value])];
          return [{ kind: "let", slot: declare(stmt.name), uses, value }];
        }
        default:
          return [operation(stmt, turn)];
      }
    });
    names.pop();
    boxes.pop();
    return prepared;
  };
  const body = block(part.body, outermost);
  return { core: part.core, body, buffers, slots, known, loops };
}

/** Turns after which what takes turns in a body is where it was. */
const periodOf = (body: readonly Stmt[]): number =>
  body.reduce(
    (n, it) => (it.kind === "if" ? lcm(n, periodOf(it.body)) : "copies" in it ? lcm(n, it.copies) : n),
    1,
  );

/** Tell an environment what a name stands for that is known before the first statement. */
export function know({ known }: PreparedPart, env: Env, of: string, value: number): void {
  const slot = known.get(of);
  if (slot !== undefined) env[slot] = value;
}

/** The environment in which a part begins. */
export function environment(part: PreparedPart, values: ReadonlyMap<string, number>): Env {
  const env: Env = new Array<number>(part.slots).fill(0);
  for (const [of, slot] of part.known) env[slot] = values.get(of) ?? 0;
  return env;
}
