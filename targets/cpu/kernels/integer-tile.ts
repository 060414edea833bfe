import { wordColumns } from "../../../src/tensor/pack.ts";
import { add, get, i32, lanes, set, vadd, vload, vmul, vsplat, zero4 } from "../../../src/wasm/wat.ts";
import { codeName, eachGroup, groupVector, partsOf } from "./coded.ts";
import type { CodedWeight } from "./spec.ts";
import { biasOf, perVector, range, startSums, times, type Tile } from "./tile.ts";

/**
 * Weights and x both codes (`quantizeRows`). A group's sum is an exact int32: products are at most 128 * 127, so 132,104 columns
 * fit. Then in float32, every step rounded: the output grows by f32(sum) * scale of the weight, groups in order from
 * zero; at the end it is multiplied with the scale of the row of x, and the bias is added.
 */
export function integerTile(c: CodedWeight, k: number, bias: boolean): Tile {
  return {
    name: `integer_${codeName(c, k)}${bias ? "_bias" : ""}`,
    parts: partsOf(c, k, ["scales"]),
    inputs: ["x", "rowScales"],
    locals: (rows) => ({
      i32: ["g", "i", "shift"],
      v128: [
        "s",
        "even",
        "odd",
        ...lanes.flatMap((v) => [`w${v}`, `e${v}`, `d${v}`]),
        ...perVector(["t"], rows),
      ],
    }),
    sums: (vectors, rows) =>
      [
        startSums(vectors, rows, () => zero4),
        eachGroup(c, k, ["scales"], (columns) => groupSum(c, vectors, rows, columns)),
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

/** Columns that no unit fills are zeros in x and w: all units are taken whole. */
function groupSum(c: CodedWeight, vectors: readonly number[], rows: number, columns: number): string {
  const perUnit = wordColumns[c.weight];
  return [
    ...vectors.flatMap((v) => range(rows).map((r) => set(`t${v}_${r}`, zero4))),
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
    ...vectors.flatMap((v) => [
      set("s", groupVector(c, "scales", v)),
      ...range(rows).map((r) =>
        set(
          `a${v}_${r}`,
          vadd(get(`a${v}_${r}`), vmul(`(f32x4.convert_i32x4_s ${get(`t${v}_${r}`)})`, get("s"))),
        ),
      ),
    ]),
  ].join(" ");
}

/** The bits of each 16-bit half from `from` on, so many of them, widened with their sign. */
const bits = (v: string, from: number, width: number): string => {
  const up = 16 - from - width;
  return `(i16x8.shr_s ${up ? `(i16x8.shl ${v} ${i32(up)})` : v} ${i32(16 - width)})`;
};

/** Four columns of each row as 16-bit pairs: the first and third, and the second and fourth. */
type Quad = { readonly even: (v: string) => string; readonly odd: (v: string) => string };

const bytes: Quad = { even: (v) => bits(v, 0, 8), odd: (v) => bits(v, 8, 8) };

/** The quads of columns that a word holds. */
const quads: { readonly [W in CodedWeight["weight"]]: readonly Quad[] } = {
  i8: [bytes],
  i4: [
    { even: (v) => bits(v, 0, 4), odd: (v) => bits(v, 8, 4) },
    { even: (v) => bits(v, 4, 4), odd: (v) => bits(v, 12, 4) },
  ],
};

/** Group sums += w * x for four columns, those of x at `offset`. */
function fourColumns(quad: Quad, vectors: readonly number[], rows: number, offset: number): string {
  const dot = (w: string, x: string) => `(i32x4.dot_i16x8_s ${get(w)} ${get(x)})`;
  const grow = (sum: string, by: string) => set(sum, `(i32x4.add ${get(sum)} ${by})`);
  return [
    ...vectors.flatMap((v) => [set(`e${v}`, quad.even(get(`w${v}`))), set(`d${v}`, quad.odd(get(`w${v}`)))]),
    ...range(rows).flatMap((r) => [
      set("s", vsplat(get(`x${r}`), offset)),
      set("even", bytes.even(get("s"))),
      set("odd", bytes.odd(get("s"))),
      ...vectors.flatMap((v) => [
        grow(`t${v}_${r}`, dot(`e${v}`, "even")),
        grow(`t${v}_${r}`, dot(`d${v}`, "odd")),
      ]),
    ]),
  ].join(" ");
}
