/**
 * The wire format of Protocol Buffers, walked before anything is decoded: lengths, nesting and names are checked, and weights
 * stay where they are. The result is the same message with each `raw_data` replaced by where it lies in the file.
 */
import { fail, type Where } from "../../../support/diagnostics.ts";
import { fieldsOf, type FieldSpec } from "./schema.ts";
import type { Window } from "./window.ts";

/** How deep messages may nest. A subgraph takes three levels. */
const deepest = 100;

/** What stands in the place of raw_data: its offset and its length, two unsigned 64-bit numbers. */
export const rangeBytes = 16;

const wireTypes = ["varint", "64-bit", "length-delimited", "group start", "group end", "32-bit"] as const;
const fixedBytes: Readonly<Record<number, number>> = { 1: 8, 5: 4 };

type Cursor = { readonly window: Window; readonly file: string; at: number };

const where = (cursor: Cursor, byte: number): Where => ({ kind: "file", file: cursor.file, byte });

/** A varint of up to ten bytes; beyond 2^53 it is Infinity. */
function varint(cursor: Cursor, end: number): number {
  const begin = cursor.at;
  let value = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    if (cursor.at >= end)
      return fail(
        "onnx/protobuf-truncated",
        where(cursor, begin),
        `varint runs past end of file at byte ${begin}`,
      );
    const byte = cursor.window.byte(cursor.at++);
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return value <= Number.MAX_SAFE_INTEGER ? value : Infinity;
  }
  return fail("onnx/protobuf", where(cursor, begin), `varint of more than ten bytes at byte ${begin}`);
}

const encodeVarint = (value: number): number[] => {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return [...bytes, rest];
};

type Pieces = Uint8Array[];
const lengthOf = (pieces: Pieces): number => pieces.reduce((n, piece) => n + piece.byteLength, 0);

const delimited = (tag: number, pieces: Pieces): Pieces => [
  Uint8Array.from([...encodeVarint(tag), ...encodeVarint(lengthOf(pieces))]),
  ...pieces,
];

function rangeOf(offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(rangeBytes);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(offset), true);
  view.setBigUint64(8, BigInt(length), true);
  return bytes;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function checkText(cursor: Cursor, begin: number, end: number, what: string): void {
  try {
    utf8.decode(cursor.window.bytes(begin, end));
  } catch {
    fail("onnx/utf8", where(cursor, begin), what);
  }
}

/** The content of a length-delimited field, rewritten. */
function content(
  cursor: Cursor,
  end: number,
  spec: FieldSpec | undefined,
  path: string,
  depth: number,
): Pieces {
  const begin = cursor.at;
  switch (spec?.kind) {
    case "message":
      return scanMessage(cursor, end, spec.of, `${path}.${spec.name}`, depth + 1);
    case "weights":
      return [rangeOf(begin, end - begin)];
    case "text":
      checkText(cursor, begin, end, `${path}.${spec.name}`);
      return [cursor.window.bytes(begin, end)];
    default:
      return [cursor.window.bytes(begin, end)];
  }
}

/** Fields of one message up to `end`. */
function scanMessage(cursor: Cursor, end: number, type: string, path: string, depth: number): Pieces {
  if (depth > deepest)
    return fail("onnx/depth", where(cursor, cursor.at), path.split(".").slice(0, 3).join("."), deepest);
  const fields = fieldsOf(type);
  const out: Pieces = [];
  while (cursor.at < end) {
    const start = cursor.at;
    const tag = varint(cursor, end);
    const [number, wire] = [Math.floor(tag / 8), tag % 8];
    const spec = fields[number];
    if (number === 0 || !Number.isFinite(tag) || wire === 3 || wire === 4 || wire > 5)
      return fail("onnx/protobuf", where(cursor, start), `not an ONNX protobuf: bad tag at byte ${start}`);
    if (spec && wire !== 2)
      return fail(
        type === "model" && spec.name === "graph" ? "onnx/no-graph" : "onnx/protobuf",
        where(cursor, start),
        `field ${spec.name} has wire type ${wireTypes[wire] ?? wire}; ${spec.name === "graph" ? "no graph" : "expected length-delimited"}`,
      );
    if (wire === 2) {
      const length = varint(cursor, end);
      if (!Number.isFinite(length))
        return fail("onnx/protobuf", where(cursor, start), "field length overflows");
      const stop = cursor.at + length;
      if (stop > end)
        return fail(
          "onnx/protobuf-truncated",
          where(cursor, end),
          `protobuf ends inside field ${spec?.name ?? number} at byte ${end}`,
        );
      out.push(...delimited(tag, content(cursor, stop, spec, path, depth)));
      cursor.at = stop;
      continue;
    }
    if (wire === 0) varint(cursor, end);
    else cursor.at += fixedBytes[wire] ?? 0;
    if (cursor.at > end)
      return fail(
        "onnx/protobuf-truncated",
        where(cursor, end),
        `protobuf ends inside field ${number} at byte ${end}`,
      );
    out.push(cursor.window.bytes(start, cursor.at));
  }
  return out;
}

/**
 * Scan a message that is a whole file. Gives its bytes without its weights: small, and safe to decode.
 * Throws `onnx/protobuf`, `onnx/protobuf-truncated`, `onnx/no-graph`, `onnx/depth` or `onnx/utf8`.
 */
export function scan(window: Window, file: string, type: "model" | "tensor"): Uint8Array {
  return Buffer.concat(scanMessage({ window, file, at: 0 }, window.size, type, type, 0));
}
