import { byteLength } from "../../tensor/dtype.ts";
import { allNodes } from "./reading/check.ts";
import { functionKey, type OnnxDim, type OnnxModel, type OnnxType, type OnnxValue } from "./model.ts";

/** One operator of a model and how often it stands there, subgraphs and functions included. */
export type OperatorCount = {
  /** `Add`, or `com.microsoft::QMoE` for other domains than ai.onnx. */
  readonly op: string;
  readonly count: number;
  /** Some of the nodes. */
  readonly nodes: readonly string[];
};

const mostNodes = 3;
const longName = (domain: string, op: string): string => (domain === "" ? op : `${domain}::${op}`);

/** The operators of a model, most frequent first; calls of the model's own functions count as what stands in them. */
export function countOperators(model: OnnxModel): readonly OperatorCount[] {
  const names = new Map<string, string[]>();
  for (const nodes of [model.graph.nodes, ...[...model.functions.values()].map((f) => f.nodes)])
    for (const node of allNodes(nodes)) {
      if (model.functions.has(functionKey(node.domain, node.op))) continue;
      const op = longName(node.domain, node.op);
      names.set(op, [...(names.get(op) ?? []), node.name]);
    }
  return [...names]
    .map(([op, nodes]) => ({ op, count: nodes.length, nodes: nodes.slice(0, mostNodes) }))
    .sort((a, b) => b.count - a.count || (a.op < b.op ? -1 : 1));
}

const formatDim = (dim: OnnxDim): string => (dim === undefined ? "?" : String(dim));

function formatType(type: OnnxType | undefined): string {
  switch (type?.kind) {
    case "tensor":
      return `${type.dtype}${type.dims ? `[${type.dims.map(formatDim).join(",")}]` : ""}`;
    case "sequence":
    case "optional":
      return `${type.kind}(${formatType(type.of)})`;
    default:
      return "unknown";
  }
}

const listed = (values: readonly OnnxValue[]) =>
  values.map(({ name, type }) => ({ name, type: formatType(type) }));

/** What `moec inspect` tells of an ONNX model. */
export function summarize(model: OnnxModel) {
  const { graph, opsets, functions, producer } = model;
  const tensors = [...graph.initializers.values()];
  const external = tensors.filter((t) => t.data.kind === "region" && t.data.region.file !== model.file);
  const fed = new Set(graph.initializers.keys());
  return {
    producer,
    opsets: Object.fromEntries([...opsets].map(([domain, version]) => [domain || "ai.onnx", version])),
    inputs: listed(graph.inputs.filter((v) => !fed.has(v.name))),
    outputs: listed(graph.outputs),
    nodes: graph.nodes.length,
    functions: functions.size,
    initializers: tensors.length,
    parameters: tensors.reduce((n, t) => n + t.shape.reduce((a, b) => a * b, 1), 0),
    bytes: tensors.reduce(
      (n, t) =>
        n +
        (t.dtype === "string"
          ? 0
          : byteLength(
              t.dtype,
              t.shape.reduce((a, b) => a * b, 1),
            )),
      0,
    ),
    externalTensors: external.length,
    operators: countOperators(model),
  };
}
