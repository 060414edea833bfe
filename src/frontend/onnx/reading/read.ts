import { closeSync, fstatSync, openSync } from "node:fs";
import type { onnx } from "onnx-proto";
import { CompileError, diag, fail, type Diagnostic } from "../../../support/diagnostics.ts";
import { operatorFaults } from "./check-nodes.ts";
import { modelFaults } from "./check.ts";
import {
  functionKey,
  type OnnxAttribute,
  type OnnxDim,
  type OnnxFunction,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxType,
  type OnnxValue,
} from "../model.ts";
import { functionDefaults } from "./function-defaults.ts";
import { dtypeOf, readTensor, toNumber } from "./tensor.ts";
import { fileWindow } from "./window.ts";
import { scan } from "./wire.ts";

/** Collects the faults of a model, so that one run tells them all. */
type Desk = { readonly file: string; readonly faults: Diagnostic[] };

/** The outcome of `read`, or undefined with its fault noted. */
function attempt<T>(desk: Desk, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    desk.faults.push(...error.diagnostics);
    return undefined;
  }
}

/** ai.onnx is written as "" or in full. */
const domainOf = (domain: string | null | undefined): string => (domain === "ai.onnx" ? "" : (domain ?? ""));

function typeOf(proto: onnx.ITypeProto | null | undefined, what: string): OnnxType | undefined {
  if (!proto) return undefined;
  if (proto.tensorType) {
    const { elemType, shape } = proto.tensorType;
    const dims = shape?.dim?.map((d): OnnxDim =>
      d.dimParam
        ? d.dimParam
        : d.dimValue === null || d.dimValue === undefined
          ? undefined
          : toNumber(d.dimValue),
    );
    return { kind: "tensor", dtype: dtypeOf(elemType ?? 0, what), ...(shape && { dims: dims ?? [] }) };
  }
  if (proto.sequenceType) return { kind: "sequence", of: typeOf(proto.sequenceType.elemType, what) };
  if (proto.optionalType) return { kind: "optional", of: typeOf(proto.optionalType.elemType, what) };
  return { kind: "other" };
}

const valueOf = (desk: Desk, proto: onnx.IValueInfoProto): OnnxValue => {
  const name = proto.name ?? "";
  return { name, type: attempt(desk, () => typeOf(proto.type, `value "${name}"`)) };
};

/** AttributeProto.type, by number. */
const attributeTypes: readonly string[] = [
  "UNDEFINED",
  "FLOAT",
  "INT",
  "STRING",
  "TENSOR",
  "GRAPH",
  "FLOATS",
  "INTS",
  "STRINGS",
];

function attributeOf(desk: Desk, proto: onnx.IAttributeProto, what: string): OnnxAttribute {
  const text = (bytes: Uint8Array | null | undefined): string =>
    new TextDecoder().decode(bytes ?? new Uint8Array());
  if (proto.refAttrName) return { kind: "reference", name: proto.refAttrName };
  switch (attributeTypes[proto.type ?? 0]) {
    case "FLOAT":
      return { kind: "float", value: proto.f ?? 0 };
    case "INT":
      return { kind: "int", value: toNumber(proto.i ?? 0) };
    case "STRING":
      return { kind: "text", value: text(proto.s) };
    case "FLOATS":
      return { kind: "floats", values: proto.floats ?? [] };
    case "INTS":
      return { kind: "ints", values: (proto.ints ?? []).map(toNumber) };
    case "STRINGS":
      return { kind: "texts", values: (proto.strings ?? []).map(text) };
    case "TENSOR": {
      const tensor = attempt(desk, () => readTensor(proto.t ?? {}, desk.file, what));
      return tensor ? { kind: "tensor", tensor } : { kind: "other", what: "a damaged tensor" };
    }
    case "GRAPH":
      return { kind: "graph", graph: graphOf(desk, proto.g ?? {}, what) };
    default:
      return proto.tp
        ? { kind: "type", type: attempt(desk, () => typeOf(proto.tp, what)) }
        : { kind: "other", what: `attribute type ${proto.type ?? 0}` };
  }
}

function nodeOf(desk: Desk, proto: onnx.INodeProto, number: number): OnnxNode {
  const op = proto.opType ?? "";
  const name = proto.name || `${op}.${number}`;
  const attributes = (proto.attribute ?? []).map((a): [string, OnnxAttribute] => [
    a.name ?? "",
    attributeOf(desk, a, `node ${name}, attribute "${a.name ?? ""}"`),
  ]);
  return {
    name,
    op,
    domain: domainOf(proto.domain),
    inputs: proto.input ?? [],
    outputs: proto.output ?? [],
    attributes: new Map(attributes),
  };
}

function graphOf(desk: Desk, proto: onnx.IGraphProto, what: string): OnnxGraph {
  const initializers = new Map<string, OnnxTensor>();
  for (const it of proto.initializer ?? []) {
    const label = `initializer "${it.name ?? ""}"`;
    const tensor = attempt(desk, () => readTensor(it, desk.file, label));
    if (!tensor) continue;
    if (initializers.has(tensor.name))
      desk.faults.push(diag("onnx/duplicate-name", { kind: "file", file: desk.file }, label));
    initializers.set(tensor.name, tensor);
  }
  return {
    name: proto.name || what,
    nodes: (proto.node ?? []).map((node, i) => nodeOf(desk, node, i)),
    initializers,
    inputs: (proto.input ?? []).map((value) => valueOf(desk, value)),
    outputs: (proto.output ?? []).map((value) => valueOf(desk, value)),
  };
}

const opsetsOf = (
  imports: readonly onnx.IOperatorSetIdProto[] | null | undefined,
): ReadonlyMap<string, number> =>
  new Map((imports ?? []).map((it) => [domainOf(it.domain), toNumber(it.version ?? 0)]));

const functionOf = (
  desk: Desk,
  proto: onnx.IFunctionProto,
  defaults: readonly onnx.IAttributeProto[],
): OnnxFunction => ({
  name: proto.name ?? "",
  domain: domainOf(proto.domain),
  inputs: proto.input ?? [],
  outputs: proto.output ?? [],
  nodes: (proto.node ?? []).map((node, i) => nodeOf(desk, node, i)),
  opsets: opsetsOf(proto.opsetImport),
  defaults: new Map(
    defaults.map((a) => [
      a.name ?? "",
      attributeOf(desk, a, `function ${proto.name ?? ""}, attribute "${a.name ?? ""}"`),
    ]),
  ),
});

type Protos = typeof onnx;

/** Decode a file's message with its weights left where they are. */
async function decode<T>(
  file: string,
  type: "model" | "tensor",
  decoder: (protos: Protos, bytes: Uint8Array) => T,
): Promise<T> {
  const fd = openSync(file, "r");
  try {
    const bytes = scan(fileWindow(fd, fstatSync(fd).size), file, type);
    const { default: proto } = await import("onnx-proto"); // a named import throws: the package is CommonJS
    try {
      return decoder(proto.onnx, bytes);
    } catch (error) {
      // What the scan leaves to the decoder: scalar fields of another wire type than the schema's.
      return fail(
        "onnx/protobuf",
        { kind: "file", file },
        error instanceof Error ? error.message : String(error),
      );
    }
  } finally {
    closeSync(fd);
  }
}

/** A file that is one tensor, as test data are kept. */
export const readTensorFile = async (file: string): Promise<OnnxTensor> =>
  readTensor(
    await decode(file, "tensor", (protos, bytes) => protos.TensorProto.decode(bytes)),
    file,
    "tensor",
  );

/** Open an ONNX model. Throws all that is wrong with it at once; what it cannot know without operators is left to the import. */
export async function readOnnx(file: string): Promise<OnnxModel> {
  const { proto, defaults } = await decode(file, "model", (protos, bytes) => ({
    proto: protos.ModelProto.decode(bytes),
    defaults: functionDefaults(protos, bytes),
  }));
  if (!proto.graph) return fail("onnx/no-graph", { kind: "file", file }, "the model has no graph");
  const desk: Desk = { file, faults: [] };
  const opsets = opsetsOf(proto.opsetImport);
  if (opsets.size === 0)
    desk.faults.push(diag("onnx/opset", { kind: "file", file }, "model has no opset_import"));
  const functions = (proto.functions ?? []).map((f, i) => functionOf(desk, f, defaults[i] ?? []));
  const graph = graphOf(desk, proto.graph, "graph");
  const model: OnnxModel = {
    file,
    producer: [proto.producerName, proto.producerVersion].filter(Boolean).join(" "),
    opsets,
    graph,
    functions: new Map(functions.map((f) => [functionKey(f.domain, f.name), f])),
  };
  // A damaged initializer would be missed by every node that reads it.
  const faults = desk.faults.length > 0 ? desk.faults : [...modelFaults(model), ...operatorFaults(model)];
  if (faults.length > 0) throw new CompileError(faults);
  return model;
}
