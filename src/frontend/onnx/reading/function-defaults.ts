import type { onnx } from "onnx-proto";
import protobuf from "protobufjs/minimal.js";

const functions = 25; // ModelProto
const attributeProto = 11; // FunctionProto

/** Visit the fields of a message up to `end`; what `visit` does not read it must skip. */
function eachField(reader: protobuf.Reader, end: number, visit: (field: number, wire: number) => void): void {
  while (reader.pos < end) {
    const tag = reader.uint32();
    visit(tag >>> 3, tag & 7);
  }
}

/**
 * The attributes with defaults of each function of a model, in order: FunctionProto.attribute_proto, which onnx-proto's schema
 * does not know.
 */
export function functionDefaults(
  { AttributeProto }: typeof onnx,
  model: Uint8Array,
): readonly (readonly onnx.AttributeProto[])[] {
  const reader = protobuf.Reader.create(model);
  const all: onnx.AttributeProto[][] = [];
  eachField(reader, reader.len, (field, wire) => {
    if (field !== functions) return reader.skipType(wire);
    const attributes: onnx.AttributeProto[] = [];
    all.push(attributes);
    const size = reader.uint32();
    eachField(reader, reader.pos + size, (inner, innerWire) => {
      if (inner === attributeProto) attributes.push(AttributeProto.decode(reader.bytes()));
      else reader.skipType(innerWire);
    });
  });
  return all;
}
