import { isDType, type DType } from "../../tensor/dtype.ts";
import { fail } from "../../support/diagnostics.ts";
import { binary, calls, infix, name, num, type BinaryOp, type Expr } from "./expr.ts";
import type { Kernel, Part, Region, Stmt, Tensor } from "./kernel.ts";
import { tokenize, type Token, type TokenKind } from "./lexer.ts";
import { place } from "../../support/lex.ts";
import { factsOfVector, isVectorOp } from "./vector-ops.ts";

type Box = { readonly dims: readonly Expr[] };

/** Blocks and expressions are nested so deep at most; those of kernels are about ten deep. */
const deepest = 256;

/**
 * Parse the text of a kernel. Throws `schedule/syntax` with the line and column of the fault; names that are not declared are one.
 */
export function parseKernel(text: string, file = "schedule"): Kernel {
  const tokens = tokenize(text, file);
  let at = 0;
  /** What regions may name, by scope; the last is the innermost. */
  const boxes: Map<string, Box>[] = [new Map()];

  const peek = (): Token => tokens[at] ?? { kind: "end", text: "end of text", offset: text.length };
  const wrong = (expected: string, token = peek()): never =>
    fail("schedule/syntax", place(text, token.offset, file), JSON.stringify(token.text), expected);
  const take = (kind: TokenKind, what: string): string => {
    const token = peek();
    if (token.kind !== kind) return wrong(what);
    at++;
    return token.text;
  };
  const is = (word: string): boolean => peek().text === word && peek().kind !== "end";
  const skip = (word: string): boolean => {
    if (!is(word)) return false;
    at++;
    return true;
  };
  const expect = (word: string): void => void (skip(word) || wrong(`"${word}"`));
  const word = (what: string): string => take("word", what);
  const whole = (what: string): number => {
    const token = peek();
    const value = Number(take("number", what));
    return Number.isSafeInteger(value) ? value : wrong("a whole number", token);
  };
  const list = <T>(close: string, item: () => T): T[] => {
    const items: T[] = [];
    if (skip(close)) return items;
    do items.push(item());
    while (skip(","));
    expect(close);
    return items;
  };
  /** Names of machines hold dashes, which elsewhere are minus signs. */
  const dashed = (what: string): string => {
    let found = word(what);
    while (skip("-")) found += `-${peek().kind === "number" ? take("number", what) : word(what)}`;
    while (
      peek().kind === "word" &&
      peek().offset === (tokens[at - 1]?.offset ?? 0) + (tokens[at - 1]?.text.length ?? 0)
    )
      found += word(what);
    return found;
  };

  let depth = 0;
  /** What `parse` finds, one level deeper. */
  const nested = <T>(parse: () => T): T => {
    if (depth === deepest) return wrong(`at most ${deepest} levels of nesting`);
    depth++;
    const found = parse();
    depth--;
    return found;
  };

  const primary = (): Expr => nested(innermost);
  const innermost = (): Expr => {
    if (skip("(")) {
      const inner = expression();
      expect(")");
      return inner;
    }
    if (skip("-")) return binary("-", num(0), primary());
    if (peek().kind === "number") return num(whole("a whole number"));
    const token = peek();
    const found = word("an expression");
    const call = calls.find((it) => it === found);
    if (!call) return name(found);
    expect("(");
    const [left, right, ...more] = list(")", expression);
    return left && right && more.length === 0
      ? binary(call, left, right)
      : wrong(`two arguments of ${call}`, token);
  };
  const level = (precedence: number): Expr => {
    const operators: readonly string[] | undefined = infix[precedence];
    if (!operators) return primary();
    let left = level(precedence + 1);
    for (let terms = 1; peek().kind !== "end" && operators.includes(peek().text); terms++) {
      if (terms === deepest) return wrong(`at most ${deepest} terms`);
      const op = peek().text as BinaryOp; // one of `operators`
      at++;
      left = binary(op, left, level(precedence + 1));
    }
    return left;
  };
  const expression = (): Expr => level(0);

  const dtype = (): DType => {
    const token = peek();
    const found = word("a dtype");
    return isDType(found) ? found : wrong("a dtype", token);
  };
  const boxNamed = (found: string, token: Token): Box => {
    for (const scope of boxes.toReversed()) {
      const box = scope.get(found);
      if (box) return box;
    }
    return wrong("a buffer or tensor declared before", token);
  };
  const region = (): Region => {
    const token = peek();
    const of = word("a buffer or tensor");
    const { dims } = boxNamed(of, token);
    const back = skip("#") ? { back: whole("a number of turns") } : {};
    if (!skip("[")) return { of, at: dims.map(() => num(0)), size: dims, ...back };
    const ranges = list("]", () => {
      const from = expression();
      return { from, size: skip(":") ? expression() : num(1) };
    });
    if (ranges.length !== dims.length) return wrong(`${dims.length} ranges for ${of}`, token);
    return { of, at: ranges.map((it) => it.from), size: ranges.map((it) => it.size), ...back };
  };
  const copies = (): number => {
    const found = peek().kind === "word" ? /^x([1-9])$/.exec(peek().text) : undefined;
    if (!found) return 1;
    at++;
    return Number(found[1]);
  };
  const declare = (of: string, dims: readonly Expr[]): void => void boxes.at(-1)?.set(of, { dims });
  const block = (): readonly Stmt[] => nested(statements);
  const statements = (): readonly Stmt[] => {
    boxes.push(new Map());
    expect("{");
    const body: Stmt[] = [];
    while (!skip("}")) body.push(statement());
    boxes.pop();
    return body;
  };
  const value = (): number | Expr => {
    const negative = skip("-");
    if (peek().kind !== "number") return negative ? binary("-", num(0), primary()) : expression();
    const found = take("number", "a number");
    const magnitude = found === "inf" ? Infinity : Number(found);
    return negative ? -magnitude : magnitude;
  };

  const statementOf: Readonly<Record<string, () => Stmt>> = {
    buffer: () => {
      const of = word("the buffer's name");
      expect(":");
      const space = word("a space");
      const type = dtype();
      expect("[");
      const sides = peek();
      const [rows = 0, cols = 0, ...more] = list("]", () => whole("a size"));
      if (rows === 0 || cols === 0 || more.length > 0)
        return wrong("its rows and its columns, 1 or more", sides);
      declare(of, [num(rows), num(cols)]);
      const turns = copies();
      return {
        kind: "buffer",
        name: of,
        space,
        dtype: type,
        rows,
        cols,
        copies: turns,
        isFlagged: skip("flagged"),
      };
    },
    for: () => {
      const of = word("the loop's name");
      expect("in");
      const from = expression();
      expect("..");
      const to = expression();
      const step = skip("step") ? expression() : num(1);
      return { kind: "for", name: of, from, to, step, body: block() };
    },
    if: () => ({ kind: "if", when: expression(), body: block() }),
    let: () => {
      const of = word("a name");
      expect("=");
      return { kind: "let", name: of, value: expression() };
    },
    read: () => {
      const of = word("a name");
      expect("=");
      return { kind: "read", name: of, from: region() };
    },
    copy: () => {
      const from = region();
      expect("->");
      const to = region();
      const transpose = skip("transposed");
      return { kind: "copy", from, to, transpose, add: skip("added") };
    },
    matmul: () => {
      const a = region();
      expect(",");
      const b = region();
      expect("->");
      const c = region();
      return { kind: "matmul", a, b, c, first: skip("first") ? expression() : num(0) };
    },
    vector: () => {
      const token = peek();
      const op = word("a vector operator");
      if (!isVectorOp(op)) return wrong("a vector operator", token);
      const facts = factsOfVector(op);
      const from = facts.operands.map((_, i) => {
        if (i > 0) expect(",");
        return region();
      });
      expect("->");
      const to = region();
      const values: (number | Expr)[] = [];
      if (facts.values > 0) expect("with");
      for (let i = 0; i < facts.values; i++) {
        if (i > 0) expect(",");
        values.push(value());
      }
      return { kind: "vector", op, from, to, values };
    },
    set: () => flag("set"),
    wait: () => flag("wait"),
    signal: () => {
      const engine = word("an engine");
      expect("->");
      return { kind: "signal", engine, core: word("a kind of core"), ...numbered() };
    },
    await: () => {
      const core = word("a kind of core");
      expect("->");
      return { kind: "await", core, engine: word("an engine"), ...numbered() };
    },
  };
  const numbered = (): { readonly id: number; readonly copies: number } => {
    expect("#");
    const id = whole("a flag's number");
    return { id, copies: copies() };
  };
  const flag = (kind: "set" | "wait"): Stmt => {
    const from = word("an engine");
    expect("->");
    const flag = { kind, from, to: word("an engine"), ...numbered() };
    if (!skip("back")) return flag;
    const token = peek();
    const back = whole("how many turns it looks back");
    return back > 0 && back <= flag.copies ? { ...flag, back } : wrong(`1 to ${flag.copies} turns`, token);
  };
  const statement = (): Stmt => {
    const token = peek();
    const parse =
      token.kind === "word" && Object.hasOwn(statementOf, token.text) ? statementOf[token.text] : undefined;
    if (!parse) return wrong(`a statement (${Object.keys(statementOf).join(", ")})`);
    at++;
    return parse();
  };
  const tensor = (): Tensor => {
    const of = word("the tensor's name");
    expect(":");
    const type = dtype();
    expect("[");
    const dims = list("]", expression);
    const strides = skip("strides") ? (expect("["), list("]", expression)) : undefined;
    const fractal = skip("nz");
    const token = peek();
    const role = word("in, out, inout or shared");
    declare(of, dims);
    if (role !== "in" && role !== "out" && role !== "inout" && role !== "shared")
      return wrong("in, out, inout or shared", token);
    return { name: of, dtype: type, dims, fractal, ...(strides && { strides }), role };
  };

  expect("kernel");
  const kernelName = word("the kernel's name");
  expect("for");
  const machine = dashed("a machine");
  const sizes: string[] = [];
  while (skip("size")) sizes.push(word("a size's name"));
  const tensors: Tensor[] = [];
  while (skip("tensor")) tensors.push(tensor());
  const parts: Part[] = [];
  while (skip("on")) parts.push({ core: word("a kind of core"), body: block() });
  if (peek().kind !== "end") wrong(`"on" or the end`);
  return { name: kernelName, machine, sizes, tensors, parts };
}
