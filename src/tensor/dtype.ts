/**
 * The one table of element types: how wide each is, how safetensors spells it, what it is for.
 * Everything that needs a fact of a dtype reads it here.
 */
export type DTypeKind = "float" | "int" | "bool" | "complex";

export const dtypes = {
  f64: { bits: 64, kind: "float", safetensors: "F64" },
  f32: { bits: 32, kind: "float", safetensors: "F32" },
  f16: { bits: 16, kind: "float", safetensors: "F16" },
  bf16: { bits: 16, kind: "float", safetensors: "BF16" },
  f8e4m3: { bits: 8, kind: "float", safetensors: "F8_E4M3" },
  f8e5m2: { bits: 8, kind: "float", safetensors: "F8_E5M2" },
  f8e8m0: { bits: 8, kind: "float", safetensors: "F8_E8M0" },
  f6e2m3: { bits: 6, kind: "float", safetensors: "F6_E2M3" },
  f6e3m2: { bits: 6, kind: "float", safetensors: "F6_E3M2" },
  f4e2m1: { bits: 4, kind: "float", safetensors: "F4" },
  c64: { bits: 64, kind: "complex", safetensors: "C64" },
  i64: { bits: 64, kind: "int", safetensors: "I64" },
  i32: { bits: 32, kind: "int", safetensors: "I32" },
  i16: { bits: 16, kind: "int", safetensors: "I16" },
  i8: { bits: 8, kind: "int", safetensors: "I8" },
  u64: { bits: 64, kind: "int", safetensors: "U64" },
  u32: { bits: 32, kind: "int", safetensors: "U32" },
  u16: { bits: 16, kind: "int", safetensors: "U16" },
  u8: { bits: 8, kind: "int", safetensors: "U8" },
  bool: { bits: 8, kind: "bool", safetensors: "BOOL" },
} as const satisfies Record<string, { bits: number; kind: DTypeKind; safetensors: string }>;

export type DType = keyof typeof dtypes;
export const dtypeNames = Object.keys(dtypes) as DType[]; // Object.keys forgets the key type

const bySafetensors = new Map<string, DType>(dtypeNames.map((name) => [dtypes[name].safetensors, name]));

/** The dtype that a safetensors header calls `name`, or undefined. */
export function dtypeFromSafetensors(name: string): DType | undefined {
  return bySafetensors.get(name);
}

export function isDType(name: string): name is DType {
  return Object.hasOwn(dtypes, name);
}

/** Bytes that `count` elements take on disk; sub-byte types are packed and must fill whole bytes. */
export function byteLength(dtype: DType, count: number): number {
  return (dtypes[dtype].bits * count) / 8;
}
