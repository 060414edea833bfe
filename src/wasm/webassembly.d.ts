/** The part of WebAssembly's JavaScript interface in use; TypeScript declares it only together with the whole browser. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  /** Shared memory has a SharedArrayBuffer, other memory an ArrayBuffer. */
  class Memory<B extends ArrayBufferLike = SharedArrayBuffer> {
    constructor(descriptor: { initial: number; maximum: number; shared: boolean });
    readonly buffer: B;
    grow(pages: number): number;
  }
  type Exports = Readonly<Record<string, unknown>>;
  class Instance {
    constructor(module: Module, imports?: { env: { memory: Memory } });
    readonly exports: Exports;
  }
}
