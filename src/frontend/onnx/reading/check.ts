/** What must hold of a model's names: every value is made before it is read, and no function calls itself. */
import { diag, type Diagnostic } from "../../../support/diagnostics.ts";
import { functionKey, type OnnxFunction, type OnnxGraph, type OnnxModel, type OnnxNode } from "../model.ts";

/** Faults of nodes in order, and the names known behind them. Subgraphs see the names around them. */
function nodeFaults(nodes: readonly OnnxNode[], before: ReadonlySet<string>, file: string) {
  const known = new Set(before);
  const faults: Diagnostic[] = [];
  for (const node of nodes) {
    for (const input of node.inputs)
      if (input !== "" && !known.has(input))
        faults.push(diag("onnx/undefined-value", { kind: "file", file }, node.name, input));
    for (const attribute of node.attributes.values())
      if (attribute.kind === "graph") faults.push(...graphFaults(attribute.graph, known, file));
    for (const output of node.outputs) {
      if (output !== "" && known.has(output) && !before.has(output))
        faults.push(diag("onnx/duplicate-name", { kind: "file", file }, `value "${output}"`));
      known.add(output);
    }
  }
  return { known, faults };
}

function graphFaults(graph: OnnxGraph, around: ReadonlySet<string>, file: string): readonly Diagnostic[] {
  const given = new Set([...around, ...graph.inputs.map((v) => v.name), ...graph.initializers.keys()]);
  const { known, faults } = nodeFaults(graph.nodes, given, file);
  const unmade = graph.outputs.filter((v) => !known.has(v.name));
  return [...faults, ...unmade.map((v) => diag("onnx/undefined-output", { kind: "file", file }, v.name))];
}

/** The nodes of a list and of all graphs inside it. */
export function* allNodes(nodes: readonly OnnxNode[]): Generator<OnnxNode> {
  for (const node of nodes) {
    yield node;
    for (const attribute of node.attributes.values())
      if (attribute.kind === "graph") yield* allNodes(attribute.graph.nodes);
  }
}

/** Functions that call themselves, in whatever number of steps. */
function cycles({ functions, file }: OnnxModel): readonly Diagnostic[] {
  const done = new Set<OnnxFunction>();
  const faults: Diagnostic[] = [];
  const visit = (f: OnnxFunction, path: readonly OnnxFunction[]): void => {
    if (path.includes(f)) {
      faults.push(diag("onnx/function-cycle", { kind: "file", file }, functionKey(f.domain, f.name)));
      return;
    }
    if (done.has(f)) return;
    for (const node of allNodes(f.nodes)) {
      const called = functions.get(functionKey(node.domain, node.op));
      if (called) visit(called, [...path, f]);
    }
    done.add(f);
  };
  for (const f of functions.values()) visit(f, []);
  return faults;
}

export const modelFaults = (model: OnnxModel): readonly Diagnostic[] => [
  ...graphFaults(model.graph, new Set(), model.file),
  ...[...model.functions.values()].flatMap((f) => nodeFaults(f.nodes, new Set(f.inputs), model.file).faults),
  ...cycles(model),
];
