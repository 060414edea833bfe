import { blockRows, packedBytes, packedWords, type PackedType } from "../tensor/pack.ts";
import type { Assemble } from "../wasm/assemble.ts";
import { add, get, i32, kernel, lanes, loop, mul, set, vload, vstore, when } from "../wasm/wat.ts";

/** Packs rows in memory of its own, which grows to the largest chunk. */
export type Packer = {
  /** `fill` is given room for `rows` row-major rows; what they become is valid until the next call. */
  readonly pack: (
    dtype: PackedType,
    rows: number,
    cols: number,
    fill: (room: Uint8Array<ArrayBuffer>) => void,
  ) => Uint8Array<ArrayBuffer>;
};

const pageBytes = 65536;

/** Lanes of two vectors, by number: 0 to 3 of the first, 4 to 7 of the second. */
const shuffle = (a: string, b: string, words: readonly number[]): string =>
  `(i8x16.shuffle ${words.flatMap((w) => lanes.map((byte) => w * 4 + byte)).join(" ")} ${a} ${b})`;

const rowAt = (row: number): string =>
  add(get("row"), row === 0 ? i32(0) : `(i32.mul ${get("rowBytes")} ${i32(row)})`);

/** Four words of each of four rows become four units' worth of these rows. */
function transposeFour(group: number): string {
  const first = group * 4;
  const v = (i: number): string => get(`v${i}`);
  const [low, high] = [
    [0, 4, 1, 5],
    [2, 6, 3, 7],
  ] as const;
  const half = [
    [0, 1, 4, 5],
    [2, 3, 6, 7],
  ] as const;
  return [
    ...lanes.map((i) => set(`v${i}`, vload(rowAt(first + i)))),
    set("a", shuffle(v(0), v(1), low)),
    set("b", shuffle(v(0), v(1), high)),
    set("c", shuffle(v(2), v(3), low)),
    set("d", shuffle(v(2), v(3), high)),
    ...lanes.map((word) => {
      const [x, y] = word < 2 ? [get("a"), get("c")] : [get("b"), get("d")];
      return vstore(get("to"), shuffle(x, y, half[word % 2] ?? half[0]), word * blockRows * 4 + first * 4);
    }),
  ].join(" ");
}

/** One word of each row, or its low half only where `load` says so. */
const oneUnit = (load: string): string =>
  Array.from(
    { length: blockRows },
    (_, row) => `(i32.store offset=${row * 4} ${get("to")} (${load} ${rowAt(row)}))`,
  ).join(" ");

/** Pack blocks begin..end: a row has `words` whole words, and half a word more where `odd` is 1. */
function packKernel(): string {
  const advance = (words: number): string =>
    `${set("row", add(get("row"), i32(words * 4)))} ${set("to", add(get("to"), i32(words * blockRows * 4)))}`;
  const whole = `(i32.and ${get("words")} ${i32(-4)})`;
  const block = [
    set("row", add(get("from"), `(i32.mul ${get("block")} ${mul(get("rowBytes"), blockRows)})`)),
    loop("i", i32(0), whole, 4, [0, 1, 2, 3].map(transposeFour).join(" ") + advance(4)),
    loop("i", whole, get("words"), 1, oneUnit("i32.load align=1") + advance(1)),
    when(get("odd"), oneUnit("i32.load16_u align=1") + advance(1)),
  ].join(" ");
  const locals = { i32: ["block", "row", "i"], v128: ["v0", "v1", "v2", "v3", "a", "b", "c", "d"] };
  return kernel(
    "pack",
    ["from", "to", "rowBytes", "words", "odd"],
    locals,
    loop("block", get("begin"), get("end"), 1, block),
  );
}

/** The code of a packer, to be compiled once and given to every thread. */
export const packerCode = async (assemble: Assemble): Promise<WebAssembly.Module> =>
  new WebAssembly.Module(await assemble(`(module (memory (export "memory") 1) ${packKernel()})`));

type Pack = (
  from: number,
  to: number,
  rowBytes: number,
  words: number,
  odd: number,
  begin: number,
  end: number,
) => void;

export function createPacker(code: WebAssembly.Module): Packer {
  const { exports } = new WebAssembly.Instance(code);
  const { memory, pack } = exports as { memory: WebAssembly.Memory<ArrayBuffer>; pack: Pack }; // as the text above exports them
  return {
    pack: (dtype, rows, cols, fill) => {
      const rowBytes = cols * (dtype === "bf16" ? 2 : 4);
      const blocks = Math.ceil(rows / blockRows);
      const to = Math.ceil((blocks * blockRows * rowBytes + 16) / 64) * 64;
      const bytes = packedBytes(dtype, rows, cols);
      const missing = to + bytes - memory.buffer.byteLength;
      if (missing > 0) memory.grow(Math.ceil(missing / pageBytes));
      const room = new Uint8Array(memory.buffer);
      fill(room.subarray(0, rows * rowBytes));
      room.fill(0, rows * rowBytes, blocks * blockRows * rowBytes);
      const words = Math.floor(rowBytes / 4);
      pack(0, to, rowBytes, words, packedWords(dtype, cols) - words, 0, blocks);
      return room.subarray(to, to + bytes);
    },
  };
}
