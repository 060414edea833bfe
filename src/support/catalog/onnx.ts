import type { Message } from "../diagnostics.ts";

const model = (message: string, hint?: string): Message => ({
  exit: "model",
  message,
  ...(hint !== undefined && { hint }),
});

/** Faults of ONNX files. */
export const onnxCatalog = {
  "onnx/protobuf": (why: string) => model(why, "this is not an ONNX model, or it is damaged"),
  "onnx/protobuf-truncated": (why: string) => model(why, "the file was cut short; download it again"),
  "onnx/no-graph": (why: string) => model(why),
  "onnx/depth": (what: string, limit: number) => model(`${what} nests deeper than the limit of ${limit}`),
  "onnx/utf8": (what: string) => model(`${what} is not valid UTF-8`),
  "onnx/opset": (why: string) => model(why),
  "onnx/unknown-dtype": (what: string, code: number) => model(`${what}: there is no data type ${code}`),
  "onnx/bad-shape": (what: string, why: string) => model(`${what}: ${why}`),
  "onnx/size-mismatch": (what: string, needs: number, has: number) =>
    model(`${what}: needs ${needs} bytes, has ${has}`),
  "onnx/ambiguous-data": (what: string, fields: string) => model(`${what}: ${fields} are set`),
  "onnx/duplicate-name": (what: string) => model(`${what} appears twice`),
  "onnx/undefined-value": (node: string, input: string) =>
    model(`node ${node}: input "${input}" is not an input, initializer or earlier output`),
  "onnx/undefined-output": (name: string) => model(`output "${name}" is produced by nothing`),
  "onnx/external-missing": (what: string, file: string) =>
    model(`${what}: ${file} not found`, "external data lies beside the model; copy it along"),
  "onnx/external-range": (what: string, why: string) => model(`${what}: ${why}`),
  "onnx/external-path": (what: string, path: string, why: string) =>
    model(
      `${what}: external data at "${path}" ${why}`,
      "external data must be a plain file in the model's folder",
    ),
  "onnx/function-cycle": (name: string) => model(`function ${name} calls itself`),
  "onnx/unknown-op": (node: string, why: string, near: string | undefined) =>
    model(`node ${node}: ${why}`, near && `did you mean ${near}?`),
  "onnx/inputs": (node: string, op: string, takes: string, found: number) =>
    model(`node ${node}: ${op} takes ${takes} inputs, found ${found}`),
  "onnx/missing-attribute": (node: string, op: string, name: string) =>
    model(`node ${node}: ${op} needs attribute "${name}"`),
  "onnx/attribute-type": (node: string, why: string) => model(`node ${node}: ${why}`),
  "onnx/not-decoder": (why: string) =>
    model(`this graph is no decoder: ${why}`, "compile it as a graph: leave --as out"),
  "onnx/graph-option": (flag: string, why: string): Message => ({
    exit: "usage",
    message: `${flag} does not apply to a graph: ${why}`,
    hint: "leave it out; if the model gives logits for ids, compile it with --as decoder",
  }),
  "onnx/bad-scale": (node: string, place: string, value: string) =>
    model(`node ${node}: ${place} is ${value}`),
  "onnx/dtype-mismatch": (node: string, why: string) => model(`node ${node}: ${why}`),
  "onnx/shape-mismatch": (node: string, why: string) => model(`node ${node}: ${why}`),
  "onnx/fold-limit": (node: string, count: number) =>
    model(`node ${node}: output of ${count} elements exceeds the limit; not folded`),
  "onnx/unsupported": (op: string, why: string, count: number, nodes: string) =>
    model(`${op}: ${why} (${count} ${count === 1 ? "node" : "nodes"}: ${nodes})`),
} as const;
