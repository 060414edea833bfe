import { closeSync, fstatSync, openSync } from "node:fs";
import { fail, type Where } from "../../support/diagnostics.ts";
import { dtypeFromSafetensors, dtypes, type DType, displayName } from "../../tensor/dtype.ts";
import { readInto, type FileRegion } from "../../tensor/source.ts";
import { scanHeader, type RawEntry } from "./header-json.ts";

export type TensorEntry = {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Where its bytes lie, counted from the start of the file. */
  readonly region: FileRegion;
};

export type SafetensorsHeader = {
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: ReadonlyMap<string, string>;
};

/** The format's own limit on the header. */
const headerLimit = 100_000_000;
const u64Limit = 2n ** 64n;

/**
 * Read and check the header of a safetensors file against every rule of the format; tensor data is not read.
 * Throws one diagnostic with the byte or the tensor it is about.
 */
export function readHeader(file: string): SafetensorsHeader {
  const fd = open(file);
  try {
    const { size } = fstatSync(fd);
    const bytes = readHeaderBytes(fd, size, file);
    const base = 8 + bytes.byteLength;
    const where = (at: number): Where => ({ kind: "file", file, byte: 8 + at });
    const raw = scanHeader(decodeUtf8(bytes, where), where);
    const metadata = new Map<string, string>();
    const spans: Span[] = [];
    for (const entry of raw)
      if (entry.name === "__metadata__") readMetadata(entry, metadata, file);
      else spans.push(readEntry(entry, file));
    checkCoverage(spans, BigInt(size - base), size, file);
    const tensors = new Map(spans.map((s): [string, TensorEntry] => [s.name, place(s, base, file)]));
    return { tensors, metadata };
  } finally {
    closeSync(fd);
  }
}

function open(file: string): number {
  try {
    return openSync(file, "r");
  } catch (error) {
    return fail(
      "usage/file",
      { kind: "file", file },
      file,
      error instanceof Error ? error.message : String(error),
    );
  }
}

function readHeaderBytes(fd: number, size: number, file: string): Uint8Array {
  const start: Where = { kind: "file", file, byte: 0 };
  if (size < 8) return fail("safetensors/header-too-small", start, size);
  const prefix = new Uint8Array(8);
  readInto(fd, prefix, 0);
  const length = new DataView(prefix.buffer).getBigUint64(0, true);
  if (length > BigInt(headerLimit)) return fail("safetensors/header-too-large", start, length, headerLimit);
  if (length > BigInt(size - 8)) return fail("safetensors/header-length", start, length, size);
  const bytes = new Uint8Array(Number(length));
  readInto(fd, bytes, 8);
  return bytes;
}

function decodeUtf8(bytes: Uint8Array, where: (at: number) => Where): string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    const at = invalidUtf8At(bytes);
    return fail("safetensors/header-utf8", where(at), at);
  }
  if (!text.startsWith("{")) return fail("safetensors/header-not-object", where(0));
  return text;
}

/** The first byte that is not UTF-8: the shortest prefix that a streaming decoder refuses ends there. */
function invalidUtf8At(bytes: Uint8Array): number {
  let low = 0;
  let high = bytes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, middle + 1), { stream: true });
      low = middle + 1;
    } catch {
      high = middle;
    }
  }
  return low;
}

function readMetadata(entry: RawEntry, metadata: Map<string, string>, file: string): void {
  for (const [key, value] of entry.fields) {
    if (typeof value !== "string") return fail("safetensors/bad-metadata", { kind: "file", file }, key);
    metadata.set(key, value);
  }
}

type Span = {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly bigint[];
  readonly begin: bigint;
  readonly end: bigint;
};

const fieldNames = ["dtype", "shape", "data_offsets"];

function readEntry({ name, fields }: RawEntry, file: string): Span {
  const at: Where = { kind: "tensor", file, tensor: name };
  for (const field of fields.keys())
    if (!fieldNames.includes(field))
      return fail("safetensors/bad-entry", at, name, `field "${field}" is not part of the format`);
  for (const field of fieldNames)
    if (!fields.has(field)) return fail("safetensors/bad-entry", at, name, `field "${field}" is missing`);
  const dtypeName = fields.get("dtype");
  if (typeof dtypeName !== "string") return fail("safetensors/bad-entry", at, name, "dtype must be a string");
  const dtype = dtypeFromSafetensors(dtypeName);
  if (!dtype) {
    const near = dtypeFromSafetensors(dtypeName.toUpperCase());
    return fail("safetensors/unknown-dtype", at, name, dtypeName, near && displayName(near));
  }
  const shape = fields.get("shape");
  if (!Array.isArray(shape))
    return fail("safetensors/bad-shape", at, name, "shape must be an array of whole numbers");
  const negative = shape.find((d: bigint) => d < 0n);
  if (negative !== undefined)
    return fail("safetensors/bad-shape", at, name, `dimension ${negative} is negative`);
  const offsets = fields.get("data_offsets");
  if (!Array.isArray(offsets) || offsets.length !== 2)
    return fail("safetensors/offsets", at, name, "data_offsets must be two whole numbers");
  const [begin = 0n, end = 0n]: readonly bigint[] = offsets;
  if (begin < 0n || end < begin)
    return fail("safetensors/offsets", at, name, `data_offsets ${begin}..${end} run backwards`);
  checkSize(name, dtype, shape, end - begin, at);
  return { name, dtype, shape, begin, end };
}

function checkSize(name: string, dtype: DType, shape: readonly bigint[], given: bigint, at: Where): void {
  // Overflow is judged as the format's reference does: factor by factor, in 64 bits.
  let count = 1n;
  for (const d of shape) {
    count *= d;
    if (count >= u64Limit || d >= u64Limit) fail("safetensors/shape-overflow", at, name);
  }
  const bits = count * BigInt(dtypes[dtype].bits);
  if (bits >= u64Limit) fail("safetensors/shape-overflow", at, name);
  if (bits % 8n)
    fail("safetensors/subbyte-misaligned", at, name, displayName(dtype), `[${shape.join(", ")}]`, bits);
  if (bits / 8n !== given) fail("safetensors/size-mismatch", at, name, bits / 8n, given);
}

/** Tensors must follow one another from 0 to the end of the file without holes or overlaps. */
function checkCoverage(spans: readonly Span[], dataBytes: bigint, size: number, file: string): void {
  const sorted = [...spans].sort((a, b) => Number(a.begin - b.begin) || Number(a.end - b.end));
  let at = 0n;
  for (const s of sorted) {
    const where: Where = { kind: "tensor", file, tensor: s.name };
    if (s.begin !== at) {
      const relation = s.begin > at ? "leaving a hole" : "overlapping the tensor before it";
      fail(
        "safetensors/offset-hole",
        where,
        at === 0n
          ? `first tensor "${s.name}" begins at ${s.begin}, not 0`
          : `tensor "${s.name}" begins at ${s.begin}, not ${at}, ${relation}`,
      );
    }
    at = s.end;
  }
  if (at > dataBytes) fail("safetensors/truncated", { kind: "file", file }, at, size);
  if (at < dataBytes) fail("safetensors/trailing-data", { kind: "file", file }, dataBytes - at);
}

const place = (s: Span, base: number, file: string): TensorEntry => ({
  name: s.name,
  dtype: s.dtype,
  shape: s.shape.map(Number),
  region: { file, offset: base + Number(s.begin), bytes: Number(s.end - s.begin) },
});
