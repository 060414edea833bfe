import type binaryenModule from "binaryen";

type Binaryen = typeof binaryenModule;

const features = (f: Binaryen["Features"]): number =>
  f.Atomics |
  f.SIMD128 |
  f.BulkMemory |
  f.BulkMemoryOpt |
  f.Multivalue |
  f.NontrappingFPToInt |
  f.MutableGlobals |
  f.SignExt;

/** Turns WebAssembly text into a binary: here, or on another thread. */
export type Assemble = (text: string) => Promise<Uint8Array<ArrayBuffer>>;

/** binaryen is megabytes: loaded when there is something to assemble, or before if one has the time. */
export const loadAssembler = async (): Promise<Binaryen> => (await import("binaryen")).default;

/**
 * WebAssembly text to a binary. The same text gives the same bytes. binaryen's optimizer is left out: V8 has its
 * own, and with both the kernels ran no faster while compiles took half a second longer.
 */
export const assemble: Assemble = async (text) => {
  const binaryen = await loadAssembler();
  const module = binaryen.parseText(text);
  try {
    module.setFeatures(features(binaryen.Features));
    return Uint8Array.from(module.emitBinary());
  } finally {
    module.dispose();
  }
};
