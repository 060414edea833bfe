import { wordColumns } from "../../../../src/tensor/pack.ts";
import {
  add,
  f32,
  get,
  i32,
  lanes,
  set,
  splat,
  vadd,
  vload,
  vmul,
  vsplat,
  zero4,
} from "../../../../src/wasm/wat.ts";
import {
  codeName,
  eachGroup,
  firstFour,
  groupLocals,
  groupVector,
  lastFour,
  partsOf,
  perGroupOf,
  unitsOf,
} from "../coded.ts";
import type { CodedWeight } from "../spec.ts";
import { perVector, range, startOf, startSums, times, type Tile } from "./tile.ts";

/**
 * Weights that are codes, x in float32: for each group its sum of x * (code - zero), columns in order; then the output grows
 * by scale * sum, groups in order.
 *
 * A code is taken to the top of its word, which keeps its sign and costs one instruction; so codes and zeros count
 * 2^24 to 2^28 times what they are, and scales as much less. Powers of two change no rounding. What overflows is
 * sums beyond 2^99, far from any activation.
 */
export function codedTile(c: CodedWeight & { readonly zero: boolean }, k: number, bias: boolean): Tile {
  const perGroup = perGroupOf(c, c.zero);
  return {
    name: `${codeName(c, k)}${c.zero ? "_zero" : ""}${bias ? "_bias" : ""}`,
    parts: partsOf(c, k, perGroup),
    inputs: ["x"],
    locals: (rows) => ({
      i32: [...groupLocals(perGroup), "i"],
      v128: [
        "s",
        "byte0",
        "byte1",
        "byte2",
        "byte3",
        "upper",
        ...lanes.flatMap((v) => [`w${v}`, `p${v}`, `z${v}`]),
        ...perVector(["c"], rows),
      ],
    }),
    sums: (vectors, rows) =>
      `${constants()} ${startSums(vectors, rows, startOf(bias))} ${eachGroup(c, k, perGroup, (columns) => groupSum(c, vectors, rows, columns))}`,
  };
}

const excess: { readonly [W in CodedWeight["weight"]]: number } = {
  i8: 2 ** 24,
  i4: 2 ** 28,
  f4e2m1: 2 ** 25, // bytes of twice the number
};

function groupSum(
  c: CodedWeight & { readonly zero: boolean },
  vectors: readonly number[],
  rows: number,
  columns: number,
): string {
  const { whole, rest } = unitsOf(c, columns);
  const [scales, zeros] = perGroupOf(c, c.zero);
  const scaled = (it: typeof scales, v: number, by: number) =>
    it ? vmul(groupVector(it, v), splat(f32(by))) : zero4;
  return [
    ...vectors.flatMap((v) => range(rows).map((r) => set(`c${v}_${r}`, zero4))),
    ...(c.zero ? vectors.map((v) => set(`z${v}`, scaled(zeros, v, excess[c.weight]))) : []),
    times(
      "i",
      whole,
      [
        unit(c, vectors, rows, wordColumns[c.weight]),
        set("w", add(get("w"), i32(64))),
        ...range(rows).map((r) => set(`x${r}`, add(get(`x${r}`), i32(4 * wordColumns[c.weight])))),
      ].join(" "),
    ),
    rest ? unit(c, vectors, rows, rest) : "",
    ...vectors.flatMap((v) => [
      set("s", scaled(scales, v, 1 / excess[c.weight])),
      ...range(rows).map((r) =>
        set(`a${v}_${r}`, vadd(get(`a${v}_${r}`), vmul(get("s"), get(`c${v}_${r}`)))),
      ),
    ]),
  ].join(" ");
}

/** Group sums += code * x for the first `columns` of one unit. */
function unit(
  c: CodedWeight & { readonly zero: boolean },
  vectors: readonly number[],
  rows: number,
  columns: number,
): string {
  const column = (i: number) =>
    [
      ...vectors.map((v) => {
        const code = `(f32x4.convert_i32x4_s ${toTop(get(`w${v}`), i % 4)})`;
        return set(`p${v}`, c.zero ? `(f32x4.sub ${code} ${get(`z${v}`)})` : code);
      }),
      ...range(rows).map((r) =>
        [
          set("s", vsplat(get(`x${r}`), i * 4)),
          ...vectors.map((v) => set(`c${v}_${r}`, vadd(get(`c${v}_${r}`), vmul(get(`p${v}`), get("s"))))),
        ].join(" "),
      ),
    ].join(" ");
  const part = (first: number, codes: (v: number) => string) =>
    [
      ...vectors.map((v) => set(`w${v}`, codes(v))),
      ...range(Math.min(4, columns - first)).map((i) => column(first + i)),
    ].join(" ");
  const words = (v: number) => vload(get("w"), v * 16);
  if (c.weight === "i8") return part(0, words);
  if (c.weight === "f4e2m1")
    return [part(0, (v) => firstFour(words(v))), columns > 4 ? part(4, (v) => lastFour(words(v))) : ""].join(
      " ",
    );
  const first = part(0, (v) => upperHalves(`(i32x4.shl ${words(v)} (i32.const 4))`));
  return columns > 4 ? `${first} ${part(4, (v) => upperHalves(words(v)))}` : first;
}

const upperHalves = (words: string): string => `(v128.and ${words} ${get("upper")})`;

/** One byte of each word to the top of the word, zeros below. */
const toTop = (words: string, byte: number): string =>
  byte === 3 ? `(v128.and ${words} ${get("byte3")})` : `(i8x16.swizzle ${words} ${get(`byte${byte}`)})`;

/** The constants of the two above, in locals: as constants V8 makes them anew in every turn of a loop. */
const constants = (): string => {
  const all = (word: string) => `(v128.const i32x4 ${lanes.map(() => word).join(" ")})`;
  const zero = 128;
  const top = (byte: number) =>
    `(v128.const i8x16 ${lanes.flatMap((l) => [zero, zero, zero, l * 4 + byte]).join(" ")})`;
  return [
    ...[0, 1, 2].map((byte) => set(`byte${byte}`, top(byte))),
    set("byte3", all("0xff000000")),
    set("upper", all("0xf0f0f0f0")),
  ].join(" ");
};
