/** Memory lent for the length of a call and used again by the next, so that streaming makes no garbage. */
export type Scratch = {
  /** Lend `bytes` bytes, at an address any typed array accepts, until `use` returns. Their content is arbitrary. */
  readonly lend: <T>(bytes: number, use: (memory: Uint8Array<ArrayBuffer>) => T) => T;
};

const alignment = 64;

/** Loans nest, so one buffer a depth is enough; each grows to the largest loan it saw. */
export function scratch(): Scratch {
  const buffers: Uint8Array<ArrayBuffer>[] = [];
  let depth = 0;
  return {
    lend: (bytes, use) => {
      let buffer = buffers[depth];
      if (!buffer || buffer.byteLength < bytes)
        buffer = buffers[depth] = new Uint8Array(Math.ceil(bytes / alignment) * alignment);
      depth++;
      try {
        return use(buffer.subarray(0, bytes));
      } finally {
        depth--;
      }
    },
  };
}
