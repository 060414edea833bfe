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
} from "../coded.ts";
import type { CodedWeight } from "../spec.ts";
import { biasOf, perVector, range, startSums, times, type Tile } from "./tile.ts";

/**
 * Weights and x both codes (`quantizeRows`). A group's sum is an exact int32: products are at most 128 * 127, so 132,104 columns
 * fit. Then in float32, every step rounded: the output grows by f32(sum) * scale of the weight, groups in order from
 * zero; at the end it is multiplied with the scale of the row of x, and the bias is added.
 *
 * Codes of the weight are taken to the top of 16 bits, which keeps their sign and costs least; so they count 2^8 or 2^12
 * times what they are. Sums of these over `stretch` columns fit (512 * 128 * 127 * 2^8 and 512 * 8 * 127 * 2^12 are below
 * 2^31), and are shifted back before they are added up.
 */
export function integerTile(c: CodedWeight, k: number, bias: boolean): Tile {
  return {
    name: `integer_${codeName(c, k)}${bias ? "_bias" : ""}`,
    parts: partsOf(c, k, perGroupOf(c, false)),
    inputs: ["x", "rowScales"],
    locals: (rows) => ({
      i32: [...groupLocals(perGroupOf(c, false)), "j", "i"],
      v128: [
        ...["s", "even", "odd", "top", ...lanes.flatMap((v) => [`w${v}`, `e${v}`, `d${v}`])],
        ...perVector(["t", "u"], rows),
      ],
    }),
    sums: (vectors, rows) =>
      [
        set("top", topMask[c.weight]),
        startSums(vectors, rows, () => zero4),
        eachGroup(c, k, perGroupOf(c, false), (columns) => groupSum(c, vectors, rows, columns)),
        ...range(rows).flatMap((r) => [
          set("s", vsplat(get(`rowScales${r}`))),
          ...vectors.map((v) => {
            const out = vmul(get(`a${v}_${r}`), get("s"));
            return set(`a${v}_${r}`, bias ? vadd(out, biasOf(v)) : out);
          }),
        ]),
      ].join(" "),
  };
}

const stretch = 512;

/** Outputs += scale * the sum of one group, which is made in `u<v>_<r>`. */
function groupSum(c: CodedWeight, vectors: readonly number[], rows: number, columns: number): string {
  return [
    ...vectors.flatMap((v) => range(rows).map((r) => set(`u${v}_${r}`, zero4))),
    times("j", Math.floor(columns / stretch), stretchSum(c, vectors, rows, stretch)),
    columns % stretch ? stretchSum(c, vectors, rows, columns % stretch) : "",
    ...vectors.flatMap((v) => [
      set("s", scaleOf(c, v)),
      ...range(rows).map((r) =>
        set(
          `a${v}_${r}`,
          vadd(get(`a${v}_${r}`), vmul(`(f32x4.convert_i32x4_s ${get(`u${v}_${r}`)})`, get("s"))),
        ),
      ),
    ]),
  ].join(" ");
}

/** E2M1 is summed as twice its numbers. */
const scaleOf = (c: CodedWeight, v: number): string => {
  const scale = groupVector({ name: "scales", type: c.scale }, v);
  return c.weight === "f4e2m1" ? vmul(scale, splat(f32(0.5))) : scale;
};

/** Group sums += what at most `stretch` columns add. What no unit fills are zeros in x and w: all units are taken whole. */
function stretchSum(c: CodedWeight, vectors: readonly number[], rows: number, columns: number): string {
  const perUnit = wordColumns[c.weight];
  const each = (f: (t: string, u: string) => string) =>
    vectors.flatMap((v) => range(rows).map((r) => f(`t${v}_${r}`, `u${v}_${r}`)));
  return [
    ...each((t) => set(t, zero4)),
    times(
      "i",
      Math.ceil(columns / perUnit),
      [
        ...vectors.map((v) => set(`w${v}`, vload(get("w"), v * 16))),
        ...quads[c.weight].map((quad, i) => fourColumns(quad, vectors, rows, i * 4)),
        set("w", add(get("w"), i32(64))),
        ...range(rows).map((r) => set(`x${r}`, add(get(`x${r}`), i32(perUnit)))),
      ].join(" "),
    ),
    ...each((t, u) =>
      set(u, `(i32x4.add ${get(u)} (i32x4.shr_s ${get(t)} ${i32(c.weight === "i4" ? 12 : 8)}))`),
    ),
  ].join(" ");
}

/** Four columns of each row out of its words, and those as 16-bit pairs, codes at the top: the first and third, and the second and fourth. */
type Quad = {
  readonly of: (words: string) => string;
  readonly even: (v: string) => string;
  readonly odd: (v: string) => string;
};

const up = (v: string, bits: number): string => `(i16x8.shl ${v} ${i32(bits)})`;
const top = (v: string): string => `(v128.and ${v} ${get("top")})`;

/** The top byte, or the top half of it, of every 16 bits. */
const topMask: { readonly [W in CodedWeight["weight"]]: string } = {
  i8: `(v128.const i32x4 ${lanes.map(() => "0xff00ff00").join(" ")})`,
  i4: `(v128.const i32x4 ${lanes.map(() => "0xf000f000").join(" ")})`,
  f4e2m1: `(v128.const i32x4 ${lanes.map(() => "0xff00ff00").join(" ")})`,
};

const asTheyAre = (words: string): string => words;
const bytes = { even: (v: string) => up(v, 8), odd: top };

/** The quads of columns that a word holds. */
const quads: { readonly [W in CodedWeight["weight"]]: readonly Quad[] } = {
  i8: [{ of: asTheyAre, ...bytes }],
  i4: [
    { of: asTheyAre, even: (v) => up(v, 12), odd: (v) => top(up(v, 4)) },
    { of: asTheyAre, even: (v) => top(up(v, 8)), odd: top },
  ],
  f4e2m1: [
    { of: firstFour, ...bytes },
    { of: lastFour, ...bytes },
  ],
};

/** Sums += w * x for four columns, those of x at `offset`. */
function fourColumns(quad: Quad, vectors: readonly number[], rows: number, offset: number): string {
  const dot = (w: string, x: string) => `(i32x4.dot_i16x8_s ${get(w)} ${get(x)})`;
  const grow = (sum: string, by: string) => set(sum, `(i32x4.add ${get(sum)} ${by})`);
  const widened = (bytes: string) => `(i16x8.shr_s ${bytes} ${i32(8)})`;
  return [
    ...vectors.flatMap((v) => [
      set(`e${v}`, quad.of(get(`w${v}`))),
      set(`d${v}`, quad.odd(get(`e${v}`))),
      set(`e${v}`, quad.even(get(`e${v}`))),
    ]),
    ...range(rows).flatMap((r) => [
      set("s", vsplat(get(`x${r}`), offset)),
      set("even", widened(up(get("s"), 8))),
      set("odd", widened(get("s"))),
      ...vectors.flatMap((v) => [
        grow(`t${v}_${r}`, dot(`e${v}`, "even")),
        grow(`t${v}_${r}`, dot(`d${v}`, "odd")),
      ]),
    ]),
  ].join(" ");
}
