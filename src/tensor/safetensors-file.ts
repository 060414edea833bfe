import { displayName, type DType } from "./dtype.ts";
import { writeWhole } from "./sink.ts";

/** A tensor's place in a file that is being laid out. */
export type LayoutEntry = {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: number;
};

export type SafetensorsLayout = {
  /** The 8 length bytes and the JSON header, padded with spaces to a multiple of 64. */
  readonly header: Uint8Array;
  /** Absolute offset of each tensor in the file. */
  readonly offsets: ReadonlyMap<string, number>;
  readonly totalBytes: number;
};

const alignment = 64;

/** Lay tensors out one after another as the safetensors format wants them: no holes, no overlaps. */
export function layoutSafetensors(
  entries: readonly LayoutEntry[],
  metadata: Readonly<Record<string, string>> = {},
): SafetensorsLayout {
  const starts: number[] = [];
  let at = 0;
  for (const { bytes } of entries) {
    starts.push(at);
    at += bytes;
  }
  const described = entries.map((e, i): [string, unknown] => {
    const begin = starts[i] ?? 0;
    return [e.name, { dtype: displayName(e.dtype), shape: e.shape, data_offsets: [begin, begin + e.bytes] }];
  });
  const head: [string, unknown][] = Object.keys(metadata).length ? [["__metadata__", metadata]] : [];
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries([...head, ...described])));
  const length = Math.ceil((json.length + 8) / alignment) * alignment - 8;
  const header = new Uint8Array(8 + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(json, 8);
  const offsets = new Map(entries.map((e, i) => [e.name, header.length + (starts[i] ?? 0)]));
  return { header, offsets, totalBytes: header.length + at };
}

/** Write a small safetensors file, whole or not at all. Throws `plan/write`. */
export function writeSafetensors(
  file: string,
  tensors: readonly {
    readonly name: string;
    readonly dtype: DType;
    readonly shape: readonly number[];
    readonly data: Uint8Array;
  }[],
  metadata: Readonly<Record<string, string>> = {},
): void {
  const { header } = layoutSafetensors(
    tensors.map((t) => ({ ...t, bytes: t.data.byteLength })),
    metadata,
  );
  writeWhole(file, ({ append }) => {
    for (const bytes of [header, ...tensors.map((t) => t.data)]) append(bytes);
  });
}
