import type { Recipe } from "../tensor/recipe.ts";
import type { AttrSchema, AttrValue } from "./attributes.ts";
import type { Func, Module, Node, Value } from "./graph.ts";
import { definitionOf } from "./ops/index.ts";
import { formatDims, formatType } from "./types.ts";

/** Numbers as the parser reads them back to the bit. */
function formatNumber(x: number): string {
  if (Object.is(x, -0)) return "-0";
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  return String(x);
}

/** A weight's recipe as text, e.g. `concat(source("a", bf16[2,4]), source("b", bf16[2,4]))`. */
export function formatRecipe(r: Recipe): string {
  switch (r.kind) {
    case "source":
      return `source(${JSON.stringify(r.name)}, ${formatType({ dtype: r.dtype, dims: r.shape })})`;
    case "literal":
      return `literal(${formatDims(r.shape)}, [${r.values.map(formatNumber).join(", ")}])`;
    case "dequantize":
      return `dequantize(${formatRecipe(r.of)}, ${formatRecipe(r.scale)}, ${formatDims(r.block)}${r.bits ? `, ${r.bits}` : ""}${r.zero ? `, ${formatRecipe(r.zero)}` : ""})`;
    case "quantize":
      return `quantize(${formatRecipe(r.of)}, ${JSON.stringify(r.format)}, ${r.rounding}, ${r.part})`;
    case "cast":
      return `cast(${formatRecipe(r.of)}, ${r.dtype})`;
    case "concat":
    case "stack":
      return `${r.kind}(${r.parts.map(formatRecipe).join(", ")})`;
    case "rotate":
      return `rotate(${formatRecipe(r.of)}, ${r.block})`;
    case "reshape":
      return `reshape(${formatRecipe(r.of)}, ${formatDims(r.shape)})`;
    case "slice":
      return `slice(${formatRecipe(r.of)}, ${r.axis}, ${r.begin}, ${r.end})`;
    case "transpose":
      return `transpose(${formatRecipe(r.of)})`;
  }
}

function formatAttr(schema: AttrSchema, value: AttrValue): string {
  if (schema.kind === "recipe") return formatRecipe(value as Recipe); // the schema says so
  if (Array.isArray(value))
    return `[${value.map((v: unknown) => (typeof v === "number" ? formatNumber(v) : String(v))).join(", ")}]`;
  return typeof value === "number" ? formatNumber(value) : String(value);
}

function formatNode(node: Node, nameOf: (v: Value) => string): string {
  const schemas = Object.entries(definitionOf(node.op).attrs);
  const attrs = schemas.map(([name, schema]) => `${name}=${formatAttr(schema, node.attrs[name] ?? "")}`);
  return [
    `  ${node.results.map(nameOf).join(", ")} = ${node.op}(${node.operands.map(nameOf).join(", ")})`,
    attrs.length ? ` {${attrs.join(", ")}}` : "",
    ` : ${node.results.map((r) => formatType(r.type)).join(", ")}`,
    node.origin.length ? ` from ${node.origin.map((o) => JSON.stringify(o)).join(", ")}` : "",
  ].join("");
}

/** A name as the text has it: in quotes where it is more than letters, digits, points and underscores. */
const spell = (name: string): string => (/^[A-Za-z_][\w.]*$/.test(name) ? name : JSON.stringify(name));

/** The names printing gives: params keep theirs, the rest are numbered in order. */
export function valueNames(func: Func): (v: Value) => string {
  const names = new Map<Value, string>(func.params.map((p) => [p, `%${spell(p.name)}`]));
  let next = 0;
  for (const node of func.body) for (const value of node.results) names.set(value, `%${next++}`);
  return (v) => names.get(v) ?? "%?";
}

/** A function as canonical text: equal functions print equally. */
export function printFunc(func: Func): string {
  const nameOf = valueNames(func);
  const params = func.params.map((p) => `${nameOf(p)}: ${formatType(p.type)}`);
  const results = func.results.map((r) => `${spell(r.name)}=${nameOf(r.value)}`);
  return [
    `func @${func.name}(${params.join(", ")}) {`,
    ...func.body.map((node) => formatNode(node, nameOf)),
    `  return ${results.join(", ")}`,
    "}",
    "",
  ].join("\n");
}

/** A module as canonical text; `parseModule` reads it back. */
export const printModule = (module: Module): string => module.funcs.map(printFunc).join("\n");
