import { readInto } from "../../../tensor/source.ts";

/** Random access to a file, a stretch at a time; what is skipped is never read. */
export type Window = {
  readonly size: number;
  readonly byte: (at: number) => number;
  /** A copy of begin..end. */
  readonly bytes: (begin: number, end: number) => Uint8Array<ArrayBuffer>;
};

const stretch = 1 << 16;

export function fileWindow(fd: number, size: number): Window {
  let from = 0;
  let held = new Uint8Array(0);
  return {
    size,
    byte: (at) => {
      if (at < from || at >= from + held.byteLength) {
        from = at;
        held = new Uint8Array(Math.min(stretch, size - at));
        readInto(fd, held, at);
      }
      return held[at - from] ?? 0;
    },
    bytes: (begin, end) => {
      const out = new Uint8Array(end - begin);
      if (begin >= from && end <= from + held.byteLength) out.set(held.subarray(begin - from, end - from));
      else readInto(fd, out, begin);
      return out;
    },
  };
}
