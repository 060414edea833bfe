/** Kernels of the CPU target without a plan around them: assembled, and called on a memory of their own. */
import { createPacker, packerCode } from "../../../src/plan/packing/packer.ts";
import { looseBytes, type PackedType } from "../../../src/tensor/pack.ts";
import { assemble } from "../../../src/wasm/assemble.ts";
import { kernelsText } from "../../../targets/cpu/kernels/module.ts";
import { kernelName, type KernelSpec } from "../../../targets/cpu/kernels/spec.ts";

type Numbers = Float32Array | Int32Array | Int8Array | Uint8Array;

export type Bench = {
  /** The address of a copy of these numbers, NaN or the like right behind them. */
  readonly put: (numbers: Numbers) => number;
  /** The address of so many bytes, all of them ones in every bit. */
  readonly room: (bytes: number) => number;
  readonly floats: (address: number, length: number) => Float32Array;
  readonly bytes: (address: number, length: number) => Int8Array;
  /** Call a kernel for its units `begin` to `end`. */
  readonly run: (spec: KernelSpec, args: readonly number[], begin: number, end: number) => void;
};

export async function kernelBench(specs: readonly KernelSpec[], pages: number): Promise<Bench> {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: 65536, shared: true });
  const unique = [...new Map(specs.map((s) => [kernelName(s), s])).values()];
  const module = new WebAssembly.Module(await assemble(kernelsText(unique)));
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  let free = 64;
  const room = (bytes: number): number => {
    const address = free;
    free = Math.ceil((address + bytes + 64) / 64) * 64;
    new Uint8Array(memory.buffer, address, free - address).fill(255);
    return address;
  };
  return {
    room,
    put: (numbers) => {
      const address = room(numbers.byteLength);
      const from = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
      new Uint8Array(memory.buffer, address).set(from);
      return address;
    },
    floats: (address, length) => new Float32Array(memory.buffer, address, length).slice(),
    bytes: (address, length) => new Int8Array(memory.buffer, address, length).slice(),
    run: (spec, args, begin, end) => {
      const kernel = exports[kernelName(spec)] as (...args: readonly number[]) => void; // as kernelsText exports it
      kernel(...args, begin, end);
    },
  };
}

const packer = createPacker(await packerCode(assemble));

/** Matrices [count, rows, cols] one after another in the packed layout. Floats become bf16 by dropping bits. */
export function packed(
  dtype: PackedType,
  numbers: Float32Array | Int8Array,
  rows: number,
  cols: number,
): Uint8Array {
  const loose =
    dtype === "bf16"
      ? Uint16Array.from(new Uint32Array(Float32Array.from(numbers).buffer), (w) => w >>> 16)
      : numbers;
  const bytes = new Uint8Array(loose.buffer, loose.byteOffset, loose.byteLength);
  const each = looseBytes[dtype] * rows * cols;
  const matrices = Array.from({ length: bytes.length / each }, (_, i) =>
    packer.pack(dtype, rows, cols, (room) => room.set(bytes.subarray(i * each, (i + 1) * each))).slice(),
  );
  return Buffer.concat(matrices);
}
