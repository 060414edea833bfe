import { blockRows, looseBytes, packedBytes, type PackedType } from "../../tensor/pack.ts";
import type { Assemble } from "../../wasm/assemble.ts";
import { add, get, i32, kernel, lanes, loop, mul, set, vload, vstore, when } from "../../wasm/wat.ts";

/** Packs rows in memory of its own, which grows to the largest chunk. */
export type Packer = {
  /**
   * `fill` is given room for `rows` row-major rows, codes of i8 and i4 one to a byte; what they become is valid until the
   * next call.
   */
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

/** How a word of the packed form comes of a row's bytes. */
type Form = {
  readonly name: string;
  /** Bytes of a row that one word is made of. */
  readonly wordBytes: number;
  /** Four words in a row. */
  readonly four: (address: string) => string;
  /** One word; the masks leave out what lies beyond the row, `high` in the upper four bytes. */
  readonly one: (address: string, low: string, high: string) => string;
};

const and = (a: string, b: string): string => `(i32.and ${a} ${b})`;
const word = (address: string, offset = 0): string => `(i32.load offset=${offset} align=1 ${address})`;

/** Words as they are. */
const asTheyAre: Form = {
  name: "pack",
  wordBytes: 4,
  four: (address) => vload(address),
  one: (address, low) => and(word(address), low),
};

const evens = [0, 2, 4, 6];
const odds = [1, 3, 5, 7];

/** Codes of a byte each, eight to a word: the first four in the low halves of its bytes, the others in the high halves. */
const halved: Form = {
  name: "packHalves",
  wordBytes: 8,
  four: (address) => {
    const firsts = shuffle(
      `(local.tee $n0 ${vload(address)})`,
      `(local.tee $n1 ${vload(address, 16)})`,
      evens,
    );
    const seconds = shuffle(get("n0"), get("n1"), odds);
    const low = (v: string) =>
      `(v128.and ${v} (v128.const i32x4 ${lanes.map(() => "0x0f0f0f0f").join(" ")}))`;
    return `(v128.or ${low(firsts)} (i32x4.shl ${low(seconds)} (i32.const 4)))`;
  },
  one: (address, low, high) => {
    const half = (offset: number, mask: string) => and(word(address, offset), and(mask, i32(0x0f0f0f0f)));
    return `(i32.or ${half(0, low)} (i32.shl ${half(4, high)} (i32.const 4)))`;
  },
};

/** The halves of bytes in another order: eight of a row one after another become bytes of the first and fifth, second and sixth, … */
const reordered = (words: string): string => {
  const bytes = (first: number) =>
    lanes.flatMap((l) => [0, 1].flatMap((b) => [l * 4 + first + b, 16 + l * 4 + first + b]));
  const evens = `(v128.and (local.tee $n0 ${words}) (v128.const i32x4 ${lanes.map(() => "0x0f0f0f0f").join(" ")}))`;
  const odds = `(i8x16.shr_u ${get("n0")} ${i32(4)})`;
  const mixed = (first: number) => `(i8x16.shuffle ${bytes(first).join(" ")} ${get("n1")} ${get("n2")})`;
  return `(v128.or (block (result v128) ${set("n1", evens)} ${set("n2", odds)} ${mixed(0)}) (i8x16.shl ${mixed(2)} ${i32(4)}))`;
};

/** Codes two to a byte, one after another, come as `halved` leaves them. */
const mingled: Form = {
  name: "packMingled",
  wordBytes: 4,
  four: (address) => reordered(vload(address)),
  one: (address, low) => `(i32x4.extract_lane 0 ${reordered(`(i32x4.splat ${and(word(address), low)})`)})`,
};

const forms: { readonly [T in PackedType]: Form } = {
  f32: asTheyAre,
  bf16: asTheyAre,
  f8e8m0: asTheyAre,
  i8: asTheyAre,
  i4: halved,
  f4e2m1: mingled,
};

/** Four words of each of four rows become four units' worth of these rows. */
function transposeFour(form: Form, group: number): string {
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
    ...lanes.map((i) => set(`v${i}`, form.four(rowAt(first + i)))),
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

/** One word of each row. */
const oneUnit = (form: Form, low: string, high: string): string =>
  Array.from(
    { length: blockRows },
    (_, row) => `(i32.store offset=${row * 4} ${get("to")} ${form.one(rowAt(row), low, high)})`,
  ).join(" ");

/** Pack blocks begin..end: a row has `words` whole words, and one more of the bytes in `low` and `high` if any are. */
function packKernel(form: Form): string {
  const advance = (words: number): string =>
    `${set("row", add(get("row"), i32(words * form.wordBytes)))} ${set("to", add(get("to"), i32(words * blockRows * 4)))}`;
  const whole = `(i32.and ${get("words")} ${i32(-4)})`;
  const block = [
    set("row", add(get("from"), `(i32.mul ${get("block")} ${mul(get("rowBytes"), blockRows)})`)),
    loop("i", i32(0), whole, 4, lanes.map((group) => transposeFour(form, group)).join(" ") + advance(4)),
    loop("i", whole, get("words"), 1, oneUnit(form, i32(-1), i32(-1)) + advance(1)),
    when(get("low"), oneUnit(form, get("low"), get("high")) + advance(1)),
  ].join(" ");
  const locals = {
    i32: ["block", "row", "i"],
    v128: ["v0", "v1", "v2", "v3", "a", "b", "c", "d", "n0", "n1", "n2"],
  };
  return kernel(
    form.name,
    ["from", "to", "rowBytes", "words", "low", "high"],
    locals,
    loop("block", get("begin"), get("end"), 1, block),
  );
}

/** The code of a packer, to be compiled once and given to every thread. */
export const packerCode = async (assemble: Assemble): Promise<WebAssembly.Module> =>
  new WebAssembly.Module(
    await assemble(
      `(module (memory (export "memory") 1) ${[...new Set(Object.values(forms))].map(packKernel).join(" ")})`,
    ),
  );

type Pack = (
  from: number,
  to: number,
  rowBytes: number,
  words: number,
  low: number,
  high: number,
  begin: number,
  end: number,
) => void;

type Exports = { readonly memory: WebAssembly.Memory<ArrayBuffer> } & Readonly<Record<string, Pack>>;

/** The lowest `bytes` of a 32-bit word's bytes, none to all of them. */
const maskOf = (bytes: number): number => (bytes <= 0 ? 0 : bytes >= 4 ? -1 : 2 ** (8 * bytes) - 1);

export function createPacker(code: WebAssembly.Module): Packer {
  const { exports } = new WebAssembly.Instance(code);
  const { memory, ...packs } = exports as Exports; // as the text above exports them
  return {
    pack: (dtype, rows, cols, fill) => {
      const rowBytes = cols * looseBytes[dtype];
      const blocks = Math.ceil(rows / blockRows);
      const to = Math.ceil((blocks * blockRows * rowBytes + 16) / 64) * 64;
      const bytes = packedBytes(dtype, rows, cols);
      const missing = to + bytes - memory.buffer.byteLength;
      if (missing > 0) memory.grow(Math.ceil(missing / pageBytes));
      const room = new Uint8Array(memory.buffer);
      fill(room.subarray(0, rows * rowBytes));
      room.fill(0, rows * rowBytes, blocks * blockRows * rowBytes);
      const { name, wordBytes } = forms[dtype];
      const left = rowBytes % wordBytes;
      packs[name]?.(
        0,
        to,
        rowBytes,
        Math.floor(rowBytes / wordBytes),
        maskOf(left),
        maskOf(left - 4),
        0,
        blocks,
      );
      return room.subarray(to, to + bytes);
    },
  };
}
