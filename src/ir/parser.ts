import { CompileError, diag, fail } from "../support/diagnostics.ts";
import { isDType, type DType } from "../tensor/dtype.ts";
import { formatNames, isFormatName, roundings, type FormatName } from "../tensor/format.ts";
import * as recipe from "../tensor/recipe.ts";
import type { AttrSchema, AttrValue } from "./attributes.ts";
import { makeNode } from "./builder.ts";
import type { Func, Module, Node, Param, Value } from "./graph.ts";
import { tokenize, type TokenKind } from "./lexer.ts";
import { place } from "../support/lex.ts";
import { definitionOf, isOpName, type OpName } from "./ops/index.ts";
import { addDims, callDims, multiplyDims, type Dim } from "./dim.ts";
import { formatType, sameType, type TensorType } from "./types.ts";

const maxDepth = 64;

/** Read a module from its text form. Throws one located diagnostic at the first fault. */
export function parseModule(text: string, file = "<text>"): Module {
  const p = cursor(text, file);
  const funcs: Func[] = [];
  while (!p.is("end")) funcs.push(parseFunc(p));
  return { funcs };
}

type Cursor = ReturnType<typeof cursor>;

function cursor(text: string, file: string) {
  const tokens = tokenize(text, file);
  let next = 0;
  const peek = () =>
    tokens[Math.min(next, tokens.length - 1)] ?? { kind: "end" as const, text: "", offset: 0 };
  const here = () => place(text, peek().offset, file);
  const wrong = (expected: string): never => fail("ir/syntax", here(), peek().text, expected);
  const is = (kind: TokenKind, literal?: string) =>
    peek().kind === kind && (literal === undefined || peek().text === literal);
  const accept = (literal: string) => {
    const found = peek().text === literal && peek().kind !== "string";
    if (found) next++;
    return found;
  };
  const expect = (literal: string) => {
    if (!accept(literal)) wrong(literal);
  };
  const take = (kind: TokenKind, what: string): string => {
    if (!is(kind)) wrong(what);
    return tokens[next++]?.text ?? "";
  };
  const list = <T>(close: string, item: () => T): T[] => {
    const items: T[] = [];
    if (accept(close)) return items;
    do items.push(item());
    while (accept(","));
    expect(close);
    return items;
  };
  const string = (): string => {
    const at = here();
    const quoted = take("string", "a quoted name");
    try {
      return String(JSON.parse(quoted));
    } catch {
      return fail("ir/syntax", at, quoted, "a JSON string");
    }
  };
  return { here, wrong, is, accept, expect, take, list, string };
}

function number(p: Cursor): number {
  const text = p.take("number", "a number");
  if (text === "nan") return NaN;
  if (text.endsWith("inf")) return text.startsWith("-") ? -Infinity : Infinity;
  return Number(text);
}

function integer(p: Cursor): number {
  const at = p.here();
  const value = number(p);
  return Number.isSafeInteger(value) ? value : fail("ir/syntax", at, String(value), "a whole number");
}

/** A sum of products; a minus needs no plus before it. */
function dim(p: Cursor): Dim {
  let sum = product(p);
  while (p.accept("+") || p.is("number")) sum = addDims(sum, product(p));
  return sum;
}

function product(p: Cursor): Dim {
  let value = factor(p);
  while (p.accept("*")) value = multiplyDims(value, factor(p));
  return value;
}

function factor(p: Cursor): Dim {
  if (p.is("number")) return integer(p);
  const at = p.here();
  const name = p.take("name", "a dimension");
  if (!p.accept("(")) return name;
  const [a = 0, b = 0] = p.list(")", () => dim(p));
  return callDims(name, a, b) ?? fail("ir/syntax", at, name, "floor, mod, min or max");
}

function dtype(p: Cursor): DType {
  const at = p.here();
  const name = p.take("name", "a dtype");
  return isDType(name) ? name : fail("ir/syntax", at, name, "a dtype");
}

function format(p: Cursor): FormatName {
  const at = p.here();
  const name = p.string();
  return isFormatName(name) ? name : fail("ir/syntax", at, name, `a format: ${formatNames.join(", ")}`);
}

function oneOf<T extends string>(p: Cursor, names: readonly T[]): T {
  const at = p.here();
  const name = p.take("name", names.join(" or "));
  return names.find((it) => it === name) ?? fail("ir/syntax", at, name, names.join(" or "));
}

function type(p: Cursor): TensorType {
  const element = dtype(p);
  p.expect("[");
  return { dtype: element, dims: p.list("]", () => dim(p)) };
}

function integers(p: Cursor): number[] {
  p.expect("[");
  return p.list("]", () => integer(p));
}

function parseRecipe(p: Cursor, depth = 0): recipe.Recipe {
  if (depth > maxDepth) p.wrong(`recipes nested at most ${maxDepth} deep`);
  const at = p.here();
  const kind = p.take("name", "a recipe");
  const inner = () => parseRecipe(p, depth + 1);
  const then = <T>(read: () => T): T => (p.expect(","), read());
  p.expect("(");
  if (kind === "concat" || kind === "stack") {
    const parts = p.list(")", inner);
    if (parts.length === 0) fail("ir/syntax", at, `${kind}()`, "at least one part");
    return kind === "concat" ? recipe.concat(parts) : recipe.stack(parts);
  }
  const build = (): recipe.Recipe => {
    switch (kind) {
      case "source": {
        const name = p.string();
        const { dtype, dims } = then(() => type(p));
        return recipe.source(name, dtype, dims.map(Number));
      }
      case "literal": {
        const shape = integers(p);
        p.expect(",");
        p.expect("[");
        return recipe.constant(
          shape,
          p.list("]", () => number(p)),
        );
      }
      case "dequantize": {
        const of = inner();
        const scale = then(inner);
        const [rows = 1, cols = 1] = then(() => integers(p));
        const more = p.accept(",");
        const narrow = more && p.is("number", "4") && p.take("number", "4") === "4";
        const zero = (narrow ? p.accept(",") : more) ? inner() : undefined;
        return { ...recipe.dequantize(of, scale, [rows, cols], zero), ...(narrow && { bits: 4 as const }) };
      }
      case "quantize":
        return recipe.quantize(
          inner(),
          then(() => format(p)),
          then(() => oneOf(p, roundings)),
          then(() => oneOf(p, recipe.quantizedParts)),
        );
      case "cast":
        return recipe.cast(
          inner(),
          then(() => dtype(p)),
        );
      case "rotate":
        return recipe.rotate(
          inner(),
          then(() => integer(p)),
        );
      case "reshape":
        return recipe.reshape(
          inner(),
          then(() => integers(p)),
        );
      case "slice": {
        const of = inner();
        const [axis, begin, end] = [then(() => integer(p)), then(() => integer(p)), then(() => integer(p))];
        return recipe.slice(of, axis, begin, end);
      }
      case "transpose":
        return recipe.transpose(inner());
      default:
        return fail("ir/syntax", at, kind, "a recipe: source, concat, stack, slice, …");
    }
  };
  const built = build();
  p.expect(")");
  return built;
}

function attribute(p: Cursor, schema: AttrSchema): AttrValue {
  switch (schema.kind) {
    case "int":
    case "float":
      return number(p);
    case "flag":
      return p.take("name", "true or false") === "true";
    case "choice":
    case "dtype":
      return p.take("name", "a name");
    case "recipe":
      return parseRecipe(p);
    case "ints":
    case "values":
      p.expect("[");
      return p.list("]", () => number(p));
    case "dim":
      return dim(p);
    case "dims":
      p.expect("[");
      return p.list("]", () => dim(p));
  }
}

function attributes(p: Cursor, op: OpName): Record<string, AttrValue> {
  const attrs: Record<string, AttrValue> = {};
  const schemas = definitionOf(op).attrs;
  if (!p.accept("{")) return attrs;
  p.list("}", () => {
    const at = p.here();
    const name = p.take("name", "an attribute");
    const schema = Object.hasOwn(schemas, name) ? schemas[name] : undefined;
    if (!schema) return fail("ir/attribute", at, op, name, "is not known");
    p.expect("=");
    attrs[name] = attribute(p, schema);
  });
  return attrs;
}

/** Re-throw a diagnostic without a place as one that has it. */
function located<T>(p: { here: Cursor["here"] }, make: () => T): T {
  const where = p.here();
  try {
    return make();
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    throw new CompileError(error.diagnostics.map((d) => ({ ...d, where: d.where ?? where })));
  }
}

const unspell = (name: string): string => (name.startsWith('"') ? String(JSON.parse(name)) : name);

function parseFunc(p: Cursor): Func {
  p.expect("func");
  const name = p.take("func", "@name").slice(1);
  const values = new Map<string, Value>();
  const define = (key: string, value: Value) => {
    if (values.has(key)) throw new CompileError([diag("ir/redefined-value", p.here(), key.slice(1))]);
    values.set(key, value);
  };
  const use = (): Value => {
    const at = p.here();
    const key = p.take("value", "%value");
    return values.get(key) ?? fail("ir/undefined-value", at, key.slice(1));
  };
  p.expect("(");
  const params = p.list(")", (): Param => {
    const key = p.take("value", "%param");
    p.expect(":");
    const param = { name: unspell(key.slice(1)), type: type(p) };
    define(key, param);
    return param;
  });
  p.expect("{");
  const body: Node[] = [];
  while (!p.is("name", "return")) body.push(parseNode(p, use, define));
  p.expect("return");
  const results: { name: string; value: Value }[] = [];
  do {
    const resultName = p.is("string") ? p.string() : p.take("name", "a result name");
    p.expect("=");
    results.push({ name: resultName, value: use() });
  } while (p.accept(","));
  p.expect("}");
  return { name, params, body, results };
}

function parseNode(p: Cursor, use: () => Value, define: (key: string, value: Value) => void): Node {
  const start = p.here();
  const keys = [p.take("value", "%value or return")];
  while (p.accept(",")) keys.push(p.take("value", "%value"));
  p.expect("=");
  const at = p.here();
  const op = p.take("name", "an operator");
  if (!isOpName(op)) return fail("ir/unknown-op", at, op);
  p.expect("(");
  const operands = p.list(")", use);
  const attrs = attributes(p, op);
  p.expect(":");
  const types = [type(p)];
  while (p.accept(",")) types.push(type(p));
  const origin: string[] = [];
  if (p.accept("from")) {
    do origin.push(p.string());
    while (p.accept(","));
  }
  // makeNode checks the attributes against the schema, so their static type is settled there.
  const node = located({ here: () => start }, () => makeNode(op, operands, attrs as never, origin));
  const inferred = node.results.map((r) => formatType(r.type)).join(", ");
  const fits =
    types.length === node.results.length && types.every((t, i) => sameType(t, node.results[i]?.type ?? t));
  if (!fits || keys.length !== types.length)
    fail(
      "ir/type",
      start,
      op,
      `the text says ${types.map(formatType).join(", ")}, the operator gives ${inferred}`,
    );
  node.results.forEach((value, i) => define(keys[i] ?? "", value));
  return node;
}
