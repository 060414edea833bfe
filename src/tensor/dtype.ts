/**
 * The one table of element types: how wide each is, how safetensors spells it, what it is for.
 * Everything that needs a fact of a dtype reads it here.
 */
export type DTypeKind = "float" | "int" | "bool" | "complex";

type DTypeFacts = {
  readonly bits: number;
  readonly kind: DTypeKind;
  /** Its name in a safetensors header. */
  readonly safetensors?: string;
  /** Its number in TensorProto.DataType. */
  readonly onnx?: number;
};

export const dtypes = {
  f64: { bits: 64, kind: "float", safetensors: "F64", onnx: 11 },
  f32: { bits: 32, kind: "float", safetensors: "F32", onnx: 1 },
  f16: { bits: 16, kind: "float", safetensors: "F16", onnx: 10 },
  bf16: { bits: 16, kind: "float", safetensors: "BF16", onnx: 16 },
  f8e4m3: { bits: 8, kind: "float", safetensors: "F8_E4M3", onnx: 17 },
  f8e5m2: { bits: 8, kind: "float", safetensors: "F8_E5M2", onnx: 19 },
  f8e8m0: { bits: 8, kind: "float", safetensors: "F8_E8M0", onnx: 24 },
  f6e2m3: { bits: 6, kind: "float", safetensors: "F6_E2M3" },
  f6e3m2: { bits: 6, kind: "float", safetensors: "F6_E3M2" },
  f4e2m1: { bits: 4, kind: "float", safetensors: "F4", onnx: 23 },
  f8e4m3fnuz: { bits: 8, kind: "float", onnx: 18 },
  f8e5m2fnuz: { bits: 8, kind: "float", onnx: 20 },
  c64: { bits: 64, kind: "complex", safetensors: "C64", onnx: 14 },
  c128: { bits: 128, kind: "complex", onnx: 15 },
  i64: { bits: 64, kind: "int", safetensors: "I64", onnx: 7 },
  i32: { bits: 32, kind: "int", safetensors: "I32", onnx: 6 },
  i16: { bits: 16, kind: "int", safetensors: "I16", onnx: 5 },
  i8: { bits: 8, kind: "int", safetensors: "I8", onnx: 3 },
  i4: { bits: 4, kind: "int", onnx: 22 },
  i2: { bits: 2, kind: "int", onnx: 26 },
  u64: { bits: 64, kind: "int", safetensors: "U64", onnx: 13 },
  u32: { bits: 32, kind: "int", safetensors: "U32", onnx: 12 },
  u16: { bits: 16, kind: "int", safetensors: "U16", onnx: 4 },
  u8: { bits: 8, kind: "int", safetensors: "U8", onnx: 2 },
  u4: { bits: 4, kind: "int", onnx: 21 },
  u2: { bits: 2, kind: "int", onnx: 25 },
  bool: { bits: 8, kind: "bool", safetensors: "BOOL", onnx: 9 },
} as const satisfies Record<string, DTypeFacts>;

export type DType = keyof typeof dtypes;
export const dtypeNames = Object.keys(dtypes) as DType[]; // Object.keys forgets the key type

/** What the table says of a dtype, absent names included. */
export const factsOf = (dtype: DType): DTypeFacts => dtypes[dtype];

const namesBy = <K extends "safetensors" | "onnx">(key: K): ReadonlyMap<DTypeFacts[K], DType> =>
  new Map(dtypeNames.map((name) => [factsOf(name)[key], name]));

const bySafetensors = namesBy("safetensors");
const byOnnx = namesBy("onnx");

/** The dtype that a safetensors header calls `name`, or undefined. */
export function dtypeFromSafetensors(name: string): DType | undefined {
  return bySafetensors.get(name);
}

/** The dtype of a number of TensorProto.DataType, or undefined. */
export function dtypeFromOnnx(code: number): DType | undefined {
  return byOnnx.get(code);
}

export function isDType(name: string): name is DType {
  return Object.hasOwn(dtypes, name);
}

/** How people and safetensors call a dtype: `BF16`. */
export const displayName = (dtype: DType): string => factsOf(dtype).safetensors ?? dtype.toUpperCase();

/** Bytes that `count` elements take on disk; sub-byte types are packed. */
export function byteLength(dtype: DType, count: number): number {
  return Math.ceil((dtypes[dtype].bits * count) / 8);
}
