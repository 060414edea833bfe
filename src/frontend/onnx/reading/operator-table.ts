import { standardOperators } from "./standard-operators.ts";

/** Kinds of attribute that the table knows; `other` is never checked. */
export type AttributeKind =
  "float" | "int" | "text" | "tensor" | "graph" | "floats" | "ints" | "texts" | "type" | "other";

/** One version of an operator of ai.onnx. */
export type OperatorVersion = {
  readonly since: number;
  readonly leastInputs: number;
  readonly mostInputs: number;
  readonly attributes: ReadonlyMap<string, { readonly kind: AttributeKind; readonly required: boolean }>;
};

const kinds: readonly AttributeKind[] = [
  "float",
  "int",
  "text",
  "tensor",
  "graph",
  "floats",
  "ints",
  "texts",
  "type",
  "other",
];

function parseAttribute(text: string) {
  const [, name = "", kindName, required] = /^(\w+):(\w+)(!?)$/.exec(text) ?? [];
  const kind = kinds.find((k) => k === kindName) ?? "other";
  return [name, { kind, required: required === "!" }] as const;
}

/** Versions of each operator, the oldest first. */
function parseTable(text: string): ReadonlyMap<string, readonly OperatorVersion[]> {
  const table = new Map<string, OperatorVersion[]>();
  for (const line of text.trim().split("\n")) {
    const [name = "", since = "", inputs = "", ...attributes] = line.split(" ");
    const [least = "0", most = "0"] = inputs.split("-");
    const versions = table.get(name) ?? [];
    table.set(name, versions);
    versions.push({
      since: Number(since),
      leastInputs: Number(least),
      mostInputs: most === "*" ? Infinity : Number(most),
      attributes: new Map(attributes.map(parseAttribute)),
    });
  }
  return table;
}

const table = parseTable(standardOperators);

export const operatorNames: readonly string[] = [...table.keys()];

/** The version of an operator that an opset has, the opset that first brought it, or undefined for no operator at all. */
export function operatorAt(
  name: string,
  opset: number,
): OperatorVersion | { readonly first: number } | undefined {
  const versions = table.get(name);
  const [oldest] = versions ?? [];
  if (!versions || !oldest) return undefined;
  return versions.findLast((it) => it.since <= opset) ?? { first: oldest.since };
}
