import { packedBytes } from "../../../../src/tensor/pack.ts";
import { add, get, i32, lanes, set, vadd, vload, vmul, vsplat, zero4 } from "../../../../src/wasm/wat.ts";
import type { WeightType } from "../spec.ts";
import { biasOf, range, startSums, times, type Tile } from "./tile.ts";

/**
 * Weights that are numbers. Each output is one chain of additions over k in order, and then the bias, so results do not depend on
 * the tile, the batch or the threads.
 */
export function denseTile(weight: WeightType, k: number, bias: boolean): Tile {
  const perUnit = weight === "bf16" ? 2 : 1;
  const parts = [{ name: "w", blockBytes: packedBytes(weight, 16, k) }];
  return {
    name: `${weight}_${k}${bias ? "_bias" : ""}`,
    parts,
    inputs: ["x"],
    locals: () => ({ i32: ["i"], v128: ["s", ...lanes.flatMap((v) => [`w${v}`, `p${v}`])] }),
    sums: (vectors, rows) =>
      [
        startSums(vectors, rows, () => zero4),
        times(
          "i",
          Math.floor(k / perUnit),
          [
            unit(weight, vectors, rows, perUnit),
            set("w", add(get("w"), i32(64))),
            ...range(rows).map((r) => set(`x${r}`, add(get(`x${r}`), i32(4 * perUnit)))),
          ].join(" "),
        ),
        k % perUnit ? unit(weight, vectors, rows, 1) : "",
        ...(bias
          ? vectors.flatMap((v) =>
              range(rows).map((r) => set(`a${v}_${r}`, vadd(get(`a${v}_${r}`), biasOf(v)))),
            )
          : []),
      ].join(" "),
  };
}

/** Sums += w * x for the first `columns` of one unit. */
function unit(weight: WeightType, vectors: readonly number[], rows: number, columns: number): string {
  const step = (part: (w: string) => string, offset: number) =>
    [
      ...vectors.map((v) => set(`p${v}`, part(get(`w${v}`)))),
      ...range(rows).map((r) =>
        [
          set("s", vsplat(get(`x${r}`), offset)),
          ...vectors.map((v) => set(`a${v}_${r}`, vadd(get(`a${v}_${r}`), vmul(get(`p${v}`), get("s"))))),
        ].join(" "),
      ),
    ].join(" ");
  const load = vectors.map((v) => set(`w${v}`, vload(get("w"), v * 16))).join(" ");
  if (weight === "f32") return `${load} ${step((w) => w, 0)}`;
  const even = step(evenHalf, 0);
  return columns === 2 ? `${load} ${even} ${step(oddHalf, 4)}` : `${load} ${even}`;
}

/** The bf16 in the low and in the high half of each word, as f32. */
export const evenHalf = (words: string): string => `(i32x4.shl ${words} (i32.const 16))`;
export const oddHalf = (words: string): string =>
  `(v128.and ${words} (v128.const i32x4 0xffff0000 0xffff0000 0xffff0000 0xffff0000))`;
