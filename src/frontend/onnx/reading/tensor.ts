import type { onnx } from "onnx-proto";
import { fail } from "../../../support/diagnostics.ts";
import { decodeNumbers } from "../../../interp/stored.ts";
import { byteLength, dtypeFromOnnx, dtypes, type DType } from "../../../tensor/dtype.ts";
import { readRegion } from "../../../tensor/source.ts";
import { externalRegion } from "./external.ts";
import type { OnnxTensor } from "../model.ts";
import { rangeBytes } from "./wire.ts";

type Integer = number | { toString(): string };
export const toNumber = (value: Integer): number => Number(String(value));

const stringCode = 8;

/** The dtype of a number of TensorProto.DataType. Throws `onnx/unknown-dtype`. */
export function dtypeOf(code: number, what: string): DType | "string" {
  return code === stringCode
    ? "string"
    : (dtypeFromOnnx(code) ?? fail("onnx/unknown-dtype", undefined, what, code));
}

function shapeOf(proto: onnx.ITensorProto, what: string): readonly number[] {
  const shape = (proto.dims ?? []).map(toNumber);
  const bad = shape.find((d) => d < 0 || !Number.isSafeInteger(d));
  if (bad !== undefined)
    return fail(
      "onnx/bad-shape",
      undefined,
      what,
      `dimension ${bad} is ${bad < 0 ? "negative" : "too large"}`,
    );
  if (!Number.isSafeInteger(shape.reduce((n, d) => n * d, 1)))
    return fail("onnx/bad-shape", undefined, what, "element count overflows");
  return shape;
}

/** The repeated fields that can hold elements, by name. */
const dataFields = ["floatData", "int32Data", "int64Data", "doubleData", "uint64Data", "stringData"] as const;
const snake = (name: string): string =>
  name.replace(/([A-Z]|\d+)/g, (it) => (/\d/.test(it) ? it : `_${it.toLowerCase()}`));

type TypedArray = new (values: readonly number[]) => { readonly buffer: ArrayBuffer };

/** Elements of repeated fields, each in a number, as their bytes. */
const byNumber: { readonly [K in DType]?: TypedArray } = {
  f32: Float32Array,
  f64: Float64Array,
  i32: Int32Array,
  i16: Int16Array,
  i8: Int8Array,
  u32: Uint32Array,
  u16: Uint16Array,
  u8: Uint8Array,
  bool: Uint8Array,
  f16: Uint16Array, // int32_data holds the bits
  bf16: Uint16Array,
};

function bytesOfFields(proto: onnx.ITensorProto, dtype: DType): Uint8Array {
  if (dtype === "i64") return bytesOf(BigInt64Array.from(proto.int64Data ?? [], (v) => BigInt(String(v))));
  if (dtype === "u64") return bytesOf(BigUint64Array.from(proto.uint64Data ?? [], (v) => BigInt(String(v))));
  const numbers =
    dtype === "f32" || dtype === "c64"
      ? proto.floatData
      : dtype === "f64" || dtype === "c128"
        ? proto.doubleData
        : dtype === "u32"
          ? (proto.uint64Data ?? []).map(toNumber)
          : proto.int32Data;
  const View =
    byNumber[dtype] ?? (dtype === "c64" ? Float32Array : dtype === "c128" ? Float64Array : Uint8Array);
  return new Uint8Array(new View(numbers ?? []).buffer);
}

const bytesOf = (array: { readonly buffer: ArrayBuffer }): Uint8Array => new Uint8Array(array.buffer);

/** A tensor of a scanned model: raw data by its place in `file`, other data at hand. */
export function readTensor(proto: onnx.ITensorProto, file: string, what: string): OnnxTensor {
  const dtype = dtypeOf(proto.dataType ?? 0, what);
  const shape = shapeOf(proto, what);
  const name = proto.name ?? "";
  const count = shape.reduce((n, d) => n * d, 1);
  const filled = dataFields.filter((field) => (proto[field]?.length ?? 0) > 0);
  const raw = proto.rawData?.byteLength === rangeBytes ? rangeOf(proto.rawData, file) : undefined;
  const set = [...(raw && raw.bytes > 0 ? ["raw_data"] : []), ...filled.map(snake)];
  if (set.length > 1)
    return fail("onnx/ambiguous-data", { kind: "file", file }, what, `both ${set.join(" and ")}`);
  if (dtype === "string") {
    const texts = (proto.stringData ?? []).map((bytes) => new TextDecoder().decode(bytes));
    if (texts.length !== count)
      return fail("onnx/size-mismatch", { kind: "file", file }, what, count, texts.length);
    return { name, dtype, shape, data: { kind: "texts", texts } };
  }
  const needed = byteLength(dtype, count);
  if (proto.dataLocation === 1) {
    const entries = new Map((proto.externalData ?? []).map(({ key, value }) => [key ?? "", value ?? ""]));
    return {
      name,
      dtype,
      shape,
      data: { kind: "region", region: externalRegion(file, what, entries, needed) },
    };
  }
  const has = raw?.bytes ?? 0;
  if (raw && has > 0) {
    if (has !== needed) return fail("onnx/size-mismatch", { kind: "file", file }, what, needed, has);
    return { name, dtype, shape, data: { kind: "region", region: raw } };
  }
  const bytes = bytesOfFields(proto, dtype);
  if (bytes.byteLength !== needed && !(dtypes[dtype].bits < 8 && bytes.byteLength >= needed))
    return fail("onnx/size-mismatch", { kind: "file", file }, what, needed, bytes.byteLength);
  return { name, dtype, shape, data: { kind: "bytes", bytes } };
}

/** What the wire scan put in the place of raw_data. */
function rangeOf(bytes: Uint8Array, file: string) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { file, offset: Number(view.getBigUint64(0, true)), bytes: Number(view.getBigUint64(8, true)) };
}

/** All elements of a tensor as numbers; 64-bit integers are exact up to 2^53. Texts have none. */
export function elementsOf({ dtype, shape, data }: OnnxTensor): readonly number[] {
  if (dtype === "string" || data.kind === "texts") return [];
  const bytes = data.kind === "region" ? readRegion(data.region) : data.bytes;
  return [
    ...decodeNumbers(
      dtype,
      bytes,
      shape.reduce((n, d) => n * d, 1),
    ),
  ];
}
