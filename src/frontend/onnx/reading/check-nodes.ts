/** Whether each node of ai.onnx is one that the imported opset defines, called as it wants to be called. */
import { diag, type Diagnostic } from "../../../support/diagnostics.ts";
import { nearest } from "../../../support/near.ts";
import { allNodes } from "./check.ts";
import { functionKey, type OnnxAttribute, type OnnxModel, type OnnxNode } from "../model.ts";
import { operatorAt, operatorNames, type AttributeKind, type OperatorVersion } from "./operator-table.ts";

/** Operators that onnxruntime's exporters write under ai.onnx, which does not have them. */
const adopted = new Set(["SimplifiedLayerNormalization"]);

/** How ONNX calls the kinds of attribute. */
const onnxNames: Readonly<Partial<Record<AttributeKind, string>>> = {
  float: "FLOAT",
  int: "INT",
  text: "STRING",
  tensor: "TENSOR",
  graph: "GRAPH",
  floats: "FLOATS",
  ints: "INTS",
  texts: "STRINGS",
  type: "TYPE_PROTO",
};

/** Why an attribute is not of the kind that the operator wants, or undefined. */
function kindFault(name: string, wanted: AttributeKind, found: OnnxAttribute): string | undefined {
  if (found.kind === "reference" || wanted === "other" || found.kind === wanted) return undefined;
  const is = found.kind === "other" ? found.what : onnxNames[found.kind];
  return `${name} must be ${onnxNames[wanted] ?? wanted}, is ${is ?? found.kind}`;
}

function callFaults(node: OnnxNode, version: OperatorVersion, file: string): readonly Diagnostic[] {
  const where = { kind: "file", file } as const;
  const faults: Diagnostic[] = [];
  const { leastInputs: least, mostInputs: most } = version;
  if (node.inputs.length < least || node.inputs.length > most) {
    const range =
      least === most ? String(least) : `${least} to ${most === Infinity ? "any number of" : most}`;
    faults.push(diag("onnx/inputs", where, node.name, node.op, range, node.inputs.length));
  }
  for (const [name, { kind, required }] of version.attributes) {
    const found = node.attributes.get(name);
    if (!found && required) faults.push(diag("onnx/missing-attribute", where, node.name, node.op, name));
    const fault = found && kindFault(name, kind, found);
    if (fault) faults.push(diag("onnx/attribute-type", where, node.name, fault));
  }
  return faults;
}

function nodeFaults(node: OnnxNode, opset: number, file: string): readonly Diagnostic[] {
  const where = { kind: "file", file } as const;
  const version = operatorAt(node.op, opset);
  if (!version)
    return [
      diag(
        "onnx/unknown-op",
        where,
        node.name,
        `op ${node.op} is not in ai.onnx opset ${opset}`,
        nearest(node.op, operatorNames),
      ),
    ];
  if ("first" in version)
    return [
      diag(
        "onnx/unknown-op",
        where,
        node.name,
        `${node.op} needs opset ${version.first}, model imports ${opset}`,
        undefined,
      ),
    ];
  return callFaults(node, version, file);
}

/** Faults of all nodes of ai.onnx, subgraphs and functions included; a function goes by its own opset. */
export function operatorFaults(model: OnnxModel): readonly Diagnostic[] {
  const bodies = [
    { nodes: model.graph.nodes, opset: model.opsets.get("") },
    ...[...model.functions.values()].map((f) => ({
      nodes: f.nodes,
      opset: f.opsets.get("") ?? model.opsets.get(""),
    })),
  ];
  return bodies.flatMap(({ nodes, opset }) =>
    [...allNodes(nodes)]
      .filter((node) => node.domain === "" && !adopted.has(node.op))
      .filter((node) => !model.functions.has(functionKey("", node.op)))
      .flatMap((node) =>
        opset === undefined
          ? [
              diag(
                "onnx/opset",
                { kind: "file", file: model.file },
                `node ${node.name}: ai.onnx is not imported`,
              ),
            ]
          : nodeFaults(node, opset, model.file),
      ),
  );
}
