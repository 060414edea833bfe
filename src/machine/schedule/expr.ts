/**
 * Whole-number expressions of a schedule: places, sizes and conditions. `/` rounds down, `mod` is never negative, and a
 * comparison is 1 or 0.
 */
export type Expr =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "binary"; readonly op: BinaryOp; readonly left: Expr; readonly right: Expr };

/** Infix operators by how strongly they bind, weakest first. */
export const infix = [
  ["==", "<"],
  ["+", "-"],
  ["*", "/", "mod"],
] as const;
/** Operators that are written as calls. `ceil` divides and rounds up. */
export const calls = ["min", "max", "ceil"] as const;
export type BinaryOp = (typeof infix)[number][number] | (typeof calls)[number];

const operations: { readonly [K in BinaryOp]: (a: number, b: number) => number } = {
  "==": (a, b) => (a === b ? 1 : 0),
  "<": (a, b) => (a < b ? 1 : 0),
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => Math.floor(a / b),
  mod: (a, b) => a - b * Math.floor(a / b),
  min: Math.min,
  max: Math.max,
  ceil: (a, b) => Math.ceil(a / b),
};

export const num = (value: number): Expr => ({ kind: "number", value });
export const name = (of: string): Expr => ({ kind: "name", name: of });

/** An operator applied; numbers are folded. */
export const binary = (op: BinaryOp, left: Expr, right: Expr): Expr =>
  left.kind === "number" && right.kind === "number"
    ? num(operations[op](left.value, right.value))
    : { kind: "binary", op, left, right };

/** The number that an expression is, or undefined where it depends on a name. */
export const constantOf = (e: Expr): number | undefined => (e.kind === "number" ? e.value : undefined);

/** What names stand for while a schedule runs, by their slots. */
export type Env = number[];
export type Compiled = (env: Env) => number;
export type CompiledList = (env: Env) => readonly number[];

/** Turn an expression into a function of the environment; `slotOf` gives a name's place there. */
export function compileExpr(e: Expr, slotOf: (name: string) => number): Compiled {
  switch (e.kind) {
    case "number": {
      const { value } = e;
      return () => value;
    }
    case "name": {
      const slot = slotOf(e.name);
      return (env) => env[slot] ?? 0;
    }
    case "binary": {
      const { op, left, right } = e;
      if (right.kind === "number") return compileWithNumber(op, compileExpr(left, slotOf), right.value);
      if (left.kind === "name" && right.kind === "name") return compileNames(op, slotOf(left.name), slotOf(right.name)); // prettier-ignore
      return compileBinary(op, compileExpr(left, slotOf), compileExpr(right, slotOf));
    }
  }
}

/** Several expressions as one function of the environment. Where none depends on a name, it always gives the same numbers, made once. */
export function compileList(of: readonly Expr[], slotOf: (name: string) => number): CompiledList {
  const constants = of.flatMap((e) => constantOf(e) ?? []);
  if (constants.length === of.length) return () => constants;
  const all = of.map((e) => compileExpr(e, slotOf));
  const [a, b, c, d] = all;
  if (a && b && all.length === 2) return (env) => [a(env), b(env)];
  if (a && b && c && all.length === 3) return (env) => [a(env), b(env), c(env)];
  if (a && b && c && d && all.length === 4) return (env) => [a(env), b(env), c(env), d(env)];
  return (env) => all.map((it) => it(env));
}

/** An operator on an expression and a number. */
function compileWithNumber(op: BinaryOp, a: Compiled, b: number): Compiled {
  switch (op) {
    case "+":
      return (env) => a(env) + b;
    case "-":
      return (env) => a(env) - b;
    case "*":
      return (env) => a(env) * b;
    default:
      return compileBinary(op, a, () => b);
  }
}

/** An operator on two names. */
function compileNames(op: BinaryOp, a: number, b: number): Compiled {
  switch (op) {
    case "+":
      return (env) => (env[a] ?? 0) + (env[b] ?? 0);
    case "-":
      return (env) => (env[a] ?? 0) - (env[b] ?? 0);
    case "*":
      return (env) => (env[a] ?? 0) * (env[b] ?? 0);
    default:
      return compileBinary(op, (env) => env[a] ?? 0, (env) => env[b] ?? 0); // prettier-ignore
  }
}

/** Operators are written out: a call through a table costs several times what they do. */
function compileBinary(op: BinaryOp, a: Compiled, b: Compiled): Compiled {
  switch (op) {
    case "+":
      return (env) => a(env) + b(env);
    case "-":
      return (env) => a(env) - b(env);
    case "*":
      return (env) => a(env) * b(env);
    case "/":
      return (env) => Math.floor(a(env) / b(env));
    case "<":
      return (env) => (a(env) < b(env) ? 1 : 0);
    case "==":
      return (env) => (a(env) === b(env) ? 1 : 0);
    case "min":
      return (env) => Math.min(a(env), b(env));
    case "max":
      return (env) => Math.max(a(env), b(env));
    case "ceil":
      return (env) => Math.ceil(a(env) / b(env));
    case "mod": {
      const { mod } = operations;
      return (env) => mod(a(env), b(env));
    }
  }
}

/** The names that an expression reads. */
export const namesOf = (e: Expr): readonly string[] =>
  e.kind === "number" ? [] : e.kind === "name" ? [e.name] : [...namesOf(e.left), ...namesOf(e.right)];

const strength = (op: BinaryOp): number => infix.findIndex((level) => level.some((it) => it === op));

/** An expression as text, with no more brackets than it needs. */
export function formatExpr(e: Expr, least = 0): string {
  if (e.kind === "number") return `${e.value}`;
  if (e.kind === "name") return e.name;
  const own = strength(e.op);
  if (own < 0) return `${e.op}(${formatExpr(e.left)}, ${formatExpr(e.right)})`;
  const text = `${formatExpr(e.left, own)} ${e.op} ${formatExpr(e.right, own + 1)}`;
  return own < least ? `(${text})` : text;
}
