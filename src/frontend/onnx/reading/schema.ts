/**
 * What the wire scan must know of onnx.proto (ONNX 1.20): which fields are messages to walk into, which are names that must
 * be UTF-8, and which hold weights. All other fields are passed over; onnx-proto decodes them.
 */

export type FieldSpec =
  | { readonly name: string; readonly kind: "message"; readonly of: string }
  | { readonly name: string; readonly kind: "text" | "weights" };

const message = (name: string, of: string): FieldSpec => ({ name, kind: "message", of });
const text = (name: string): FieldSpec => ({ name, kind: "text" });

type Fields = Readonly<Record<number, FieldSpec>>;

export const messages = {
  model: {
    7: message("graph", "graph"),
    8: message("opset_import", "opset"),
    25: message("functions", "function"),
  },
  opset: { 1: text("domain") },
  graph: {
    1: message("node", "node"),
    2: text("name"),
    5: message("initializer", "tensor"),
    11: message("input", "valueInfo"),
    12: message("output", "valueInfo"),
    13: message("value_info", "valueInfo"),
    15: message("sparse_initializer", "sparseTensor"),
  },
  node: {
    1: text("input"),
    2: text("output"),
    3: text("name"),
    4: text("op_type"),
    5: message("attribute", "attribute"),
    7: text("domain"),
  },
  attribute: {
    1: text("name"),
    5: message("t", "tensor"),
    6: message("g", "graph"),
    10: message("tensors", "tensor"),
    11: message("graphs", "graph"),
    14: message("tp", "type"),
    15: message("type_protos", "type"),
    22: message("sparse_tensor", "sparseTensor"),
    23: message("sparse_tensors", "sparseTensor"),
  },
  tensor: {
    8: text("name"),
    9: { name: "raw_data", kind: "weights" },
    13: message("external_data", "entry"),
  },
  entry: { 1: text("key"), 2: text("value") },
  sparseTensor: { 1: message("values", "tensor"), 2: message("indices", "tensor") },
  valueInfo: { 1: text("name"), 2: message("type", "type") },
  type: {
    1: message("tensor_type", "tensorType"),
    4: message("sequence_type", "elementType"),
    5: message("map_type", "mapType"),
    8: message("sparse_tensor_type", "tensorType"),
    9: message("optional_type", "elementType"),
  },
  elementType: { 1: message("elem_type", "type") },
  mapType: { 2: message("value_type", "type") },
  tensorType: { 2: message("shape", "shape") },
  shape: { 1: message("dim", "dimension") },
  dimension: { 2: text("dim_param") },
  function: {
    1: text("name"),
    4: text("input"),
    5: text("output"),
    7: message("node", "node"),
    9: message("opset_import", "opset"),
    10: text("domain"),
    11: message("attribute_proto", "attribute"),
  },
} as const satisfies Readonly<Record<string, Fields>>;

/** A message's fields by number. */
export const fieldsOf = (name: string): Fields =>
  Object.hasOwn(messages, name) ? ((messages as Readonly<Record<string, Fields>>)[name] ?? {}) : {};
