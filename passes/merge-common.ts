import type { Node, Value } from "../src/ir/graph.ts";
import type { AttrValue } from "../src/ir/attributes.ts";
import { definitionOf } from "../src/ir/ops/index.ts";
import { counter, type Pass } from "../src/pass/pass.ts";
import { inputs, type Recipe } from "../src/tensor/recipe.ts";

/** Gives equal keys equal numbers. */
function numbering() {
  const numbers = new Map<string, number>();
  return (key: string): number => {
    const known = numbers.get(key);
    if (known !== undefined) return known;
    numbers.set(key, numbers.size);
    return numbers.size - 1;
  };
}

/** Numbers recipes by structure: each recipe object is looked at once, its parts by their numbers. */
function recipeNumbering() {
  const numberOf = numbering();
  const known = new Map<Recipe, number>();
  const details = (r: Recipe): string => {
    switch (r.kind) {
      case "source":
        return JSON.stringify(r.name);
      case "dequantize":
        return `${r.block.join()} ${r.bits ?? ""}`;
      case "rotate":
        return `${r.block}`;
      case "quantize":
        return `${r.format} ${r.rounding} ${r.part}`;
      case "slice":
        return `${r.axis},${r.begin}`;
      default:
        return "";
    }
  };
  const of = (r: Recipe): number => {
    const found = known.get(r);
    if (found !== undefined) return found;
    const parts = inputs(r).map(of).join();
    const number = numberOf(`${r.kind} ${r.dtype}[${r.shape.join()}] ${details(r)} ${parts}`);
    known.set(r, number);
    return number;
  };
  return of;
}

const formatNumber = (v: unknown): string => (Object.is(v, -0) ? "-0" : String(v));

/** Two nodes with equal keys compute the same. */
function nodeKeys() {
  const values = new Map<Value, number>();
  const recipes = recipeNumbering();
  const numberOf = (v: Value): number => {
    if (!values.has(v)) values.set(v, values.size);
    return values.get(v) ?? 0;
  };
  const attribute = (kind: string, value: AttrValue): string => {
    if (kind === "recipe") return String(recipes(value as Recipe)); // the schema says so
    return Array.isArray(value) ? value.map(formatNumber).join() : formatNumber(value);
  };
  return (node: Node, operands: readonly Value[]): string => {
    const attrs = Object.entries(definitionOf(node.op).attrs).map(([name, schema]) =>
      attribute(schema.kind, node.attrs[name] ?? ""),
    );
    const numbers = operands.map(numberOf);
    if (node.op === "add" || node.op === "mul") numbers.sort((a, b) => a - b);
    return `${node.op}(${numbers.join()}){${attrs.join(";")}}`;
  };
}

/** Computes equal things once; the kept node takes the origins of those it stands for. */
export const mergeCommon: Pass = {
  name: "merge-common",
  summary: "compute equal expressions and read equal weights once",
  scope: "all",
  tolerance: 0,
  rules: ["equal-nodes"],
  run: (func, enabled = () => true) => {
    const { counts, add } = counter();
    if (!enabled("equal-nodes")) return { func, counts };
    const keyOf = nodeKeys();
    const standIns = new Map<Value, Value>();
    const current = (v: Value): Value => standIns.get(v) ?? v;
    const keptAt = new Map<string, number>();
    const origins = new Map<number, Set<string>>();
    const body: Node[] = [];
    for (const node of func.body) {
      const operands = node.operands.map(current);
      const key = keyOf(node, operands);
      const at = keptAt.get(key);
      const kept = at === undefined ? undefined : body[at];
      if (at !== undefined && kept) {
        node.results.forEach((v, i) => standIns.set(v, kept.results[i] ?? v));
        const names = origins.get(at) ?? new Set(kept.origin);
        for (const name of node.origin) names.add(name);
        origins.set(at, names);
        add("equal-nodes");
        continue;
      }
      keptAt.set(key, body.length);
      body.push(operands.every((v, i) => v === node.operands[i]) ? node : { ...node, operands });
    }
    if (standIns.size === 0) return { func, counts };
    for (const [at, names] of origins) {
      const node = body[at];
      if (node && names.size > node.origin.length) body[at] = { ...node, origin: [...names] };
    }
    const results = func.results.map((r) => ({ ...r, value: current(r.value) }));
    return { func: { ...func, body, results }, counts };
  },
};
