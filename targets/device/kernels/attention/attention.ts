/**
 * Attention by tiles of keys (Dao et al. 2022, 2023): scores on the matrix unit, their running softmax on the vector unit, weights times values on the
 * matrix unit, sums brought to the new maximum on the vector unit. The matrix unit is some tiles ahead: it makes the scores of one while the
 * softmax of those before is on its way. Where its cores and the vector cores meet only in global memory, tiles pass through scratch there.
 */
import { globalSpace, type Profile } from "../../../../src/machine/profile.ts";
import type { Kernel } from "../../../../src/machine/schedule/kernel.ts";
import { headsOf, kernelOf, lines, type View } from "../vector/tile.ts";
import { attentionTile, buffersOf, isFused, type AttentionShape, type AttentionTile } from "./tile.ts";

/** Operands as they lie. Without `v` values are the first columns of the keys, as in the latent cache of DeepSeek-V2. */
export type AttentionSpec = {
  readonly q: View;
  readonly k: View;
  readonly v?: View;
  readonly out: View;
  readonly scale: number;
  /** The most queries of a sequence in one launch; a decoding plan has one. */
  readonly queries: number;
};

/**
 * Causal attention: of B sequences with P keys each in the cache and S queries behind, query s sees keys 0 to P + s. Tensors: `q` [B, S, heads,
 * dim], `k` [B, P + S, groups, dim], `v` [B, P + S, groups, width], `out` [B, S, heads, width].
 */
export function attention(profile: Profile, spec: AttentionSpec): Kernel {
  const { q, k, v, out } = spec;
  const shape: AttentionShape = {
    dtype: q.dtype,
    out: out.dtype,
    heads: headsOf(q),
    groups: headsOf(k),
    dim: q.width,
    width: out.width,
    isLatent: v === undefined,
    queries: spec.queries,
  };
  const tile = attentionTile(profile, shape);
  const text = partsOf(profile, shape, tile, spec.scale);
  const slots = tile.lag + 1;
  return kernelOf(
    profile,
    lines(
      `kernel attention for ${profile.name}`,
      "size B\nsize S\nsize P",
      tensor("q", q, "S", "in"),
      tensor("k", k, "P + S", "in"),
      v && tensor("v", v, "P + S", "in"),
      tensor("out", out, "S", "out"),
      !isFused(profile) &&
        lines(
          `tensor scores: f32[${slots * tile.rows}, ${tile.keys}] shared`,
          `tensor probs: ${shape.dtype}[${slots * tile.rows}, ${tile.keys}] shared`,
          // Chunks of columns lie apart, so that each moves as one run.
          `tensor sums: f32[${slots * Math.ceil(shape.width / tile.columns)}, ${tile.rows}, ${tile.columns}] shared`,
        ),
      isFused(profile) ? text.whole : lines(text.matrix, text.vector),
    ),
  );
}

function tensor(name: string, view: View, rows: string, role: "in" | "out"): string {
  const heads = headsOf(view);
  const { width, rowStride = heads * width, headStride = width } = view;
  const isDense = rowStride === heads * width && headStride === width;
  const strides = isDense ? "" : `strides [(${rows}) * ${rowStride}, ${rowStride}, ${headStride}, 1] `;
  return `tensor ${name}: ${view.dtype}[B, ${rows}, ${heads}, ${width}] ${strides}${role}`;
}

type Text = { readonly whole: string; readonly matrix: string; readonly vector: string };

function partsOf(profile: Profile, shape: AttentionShape, tile: AttentionTile, scale: number): Text {
  const { matrix, vector } = profile;
  const { dim, width, isLatent } = shape;
  const declared = buffersOf(profile, shape, tile);
  const make = (name: keyof typeof declared): string => {
    const found = declared[name];
    if (!found) return "";
    const [space, type, rows, cols, copies] = found;
    return `buffer ${name}: ${space} ${type}[${rows}, ${cols}]${copies > 1 ? ` x${copies}` : ""}`;
  };
  const isMasked = tile.queries > 1;
  const engine = (core: string, from: string, to: string): string =>
    profile.paths.find((it) => it.core === core && it.from === from && it.to === to)?.engine ?? "";

  const items = itemsText(shape, tile);
  const share = `
    let own = ${isMasked ? `max(0, min(ceil(queries, cores), queries - core * ceil(queries, cores)))` : "queries"}
    let mine = ${isMasked ? "heads" : "max(0, min(ceil(heads, cores), heads - core * ceil(heads, cores)))"}
    let firstQuery = ${isMasked ? "core * ceil(queries, cores)" : "0"}
    let firstHead = ${isMasked ? "0" : "core * ceil(heads, cores)"}
    let lines = own * mine
    let line = firstQuery * heads + firstHead`;
  const { lag } = tile;
  const chunks = Math.ceil(width / tile.columns);
  const turn = `
    let t = j * ${tile.keys}
    let n = max(0, min(${tile.keys}, limit - t))
    let before = t - ${lag * tile.keys}
    let last = max(0, min(${tile.keys}, limit - before)) * min(1, max(0, j + ${1 - lag}))
    let slot = j mod ${lag + 1} * ${tile.rows}
    let lastSlot = (j + 1) mod ${lag + 1}`;

  const query = lines(make("q1"), `copy q[b, s : queries, head : heads, 0 : ${dim}] -> q1[0 : rows, 0 : ${dim}]`); // prettier-ignore
  const scores = lines(
    make("k1"),
    `copy k[b, t : n, g, 0 : ${dim}] -> k1[0 : n, 0 : ${dim}]`,
    make("sc"),
    `for d in 0 .. ${dim} step ${tile.depth} {`,
    `let some = min(${tile.depth}, ${dim} - d)`,
    make("q0"),
    make("k0"),
    "copy q1[0 : rows, d : some] -> q0[0 : rows, 0 : some]",
    "copy k1[0 : n, d : some] -> k0[0 : n, 0 : some]",
    "matmul q0[0 : rows, 0 : some], k0[0 : n, 0 : some] -> sc[0 : rows, 0 : n] first d == 0",
    "}",
  );
  /** Weights of an earlier turn, from `p1`, times their values; `each` takes every chunk of sums from `oc`. */
  const values = (p1: string, each: string): string =>
    lines(
      !isLatent && make("v1"),
      !isLatent && `copy v[b, before : last, g, 0 : ${width}] -> v1[0 : last, 0 : ${width}]`,
      make("p0"),
      `copy ${p1}[0 : rows, 0 : last] -> p0[0 : rows, 0 : last]`,
      `for w in 0 .. ${width} step ${tile.columns} {`,
      `let some = min(${tile.columns}, ${width} - w)`,
      make("oc"),
      `for u in 0 .. some step ${tile.narrow} {`,
      `let few = min(${tile.narrow}, some - u)`,
      make("v0"),
      `copy ${isLatent ? `k1#${lag}` : "v1"}[0 : last, w + u : few] -> v0[0 : few, 0 : last] transposed`,
      "matmul p0[0 : rows, 0 : last], v0[0 : few, 0 : last] -> oc[0 : rows, u : few] first 1",
      "}",
      each,
      "}",
    );

  const column = (name: string): string => `${name}[0 : live, 0 : 1]`;
  const here = "s[0 : live, 0 : n]";
  const mask = lines(
    `if P + s + 1 < t + n {`,
    `vector adds order[0 : live, 0 : 1] -> ${column("bound")} with P + s + firstQuery + 1 - t`,
    "vector iota -> seen[0 : live, 0 : n] with 0",
    `vector lessColumn seen[0 : live, 0 : n], ${column("bound")} -> seen[0 : live, 0 : n]`,
    "vector adds seen[0 : live, 0 : n] -> seen[0 : live, 0 : n] with -1",
    "vector muls seen[0 : live, 0 : n] -> seen[0 : live, 0 : n] with 1e30",
    `vector add ${here}, seen[0 : live, 0 : n] -> ${here}`,
    "}",
  );
  const softmax = lines(
    "let live = lines * min(1, n)",
    `buffer soon: ${vector.space} f32[${tile.share}, 1] x${lag + 1}`,
    make("s"),
    isFused(profile)
      ? `copy sc[0 : live, 0 : n] -> ${here}`
      : `copy scores[slot + line : live, 0 : n] -> ${here}`,
    `vector muls ${here} -> ${here} with ${scale}`,
    isMasked && mask,
    `vector maximum ${here} -> ${column("next")}`,
    `vector max ${column("most")}, ${column("next")} -> ${column("next")}`,
    `vector sub ${column("most")}, ${column("next")} -> ${column("soon")}`,
    `vector exp ${column("soon")} -> ${column("soon")}`,
    `vector copy ${column("next")} -> ${column("most")}`,
    `vector subColumn ${here}, ${column("next")} -> ${here}`,
    `vector exp ${here} -> ${here}`,
    `vector sum ${here} -> ${column("next")}`,
    `vector mul ${column("weight")}, ${column("soon")} -> ${column("weight")}`,
    `vector add ${column("weight")}, ${column("next")} -> ${column("weight")}`,
    make("p"),
    `vector copy ${here} -> p[0 : live, 0 : n]`,
  );
  const late = "lines * min(1, last)";
  // Chunks of columns stand one below another.
  const part = (rows: string): string => `sum[w / ${tile.columns} * ${tile.share} : ${rows}, 0 : some]`;
  const update = lines(
    `vector mulColumn ${part("late")}, soon#${lag}[0 : late, 0 : 1] -> ${part("late")}`,
    `vector add ${part("late")}, o[0 : late, 0 : some] -> ${part("late")}`,
  );
  const once = lines(
    make("order"),
    isMasked && `for i in 0 .. ${tile.share} {\nvector fill -> order[i, 0 : 1] with i / ${tile.heads}\n}`,
  );
  const columns = ["most", "next", "weight", "bound"];
  const begin = lines(
    make("sum"),
    make("seen"),
    ...columns.map((it) => `buffer ${it}: ${vector.space} f32[${tile.share}, 1]`),
    `vector fill -> sum[0 : ${chunks * tile.share}, 0 : ${tile.columns}] with 0`,
    "vector fill -> most[0 : lines, 0 : 1] with -inf",
    "vector fill -> weight[0 : lines, 0 : 1] with 0",
  );
  const end = lines(
    `for w in 0 .. ${width} step ${tile.columns} {`,
    `let some = min(${tile.columns}, ${width} - w)`,
    make("y"),
    `vector divColumn ${part("lines")}, weight[0 : lines, 0 : 1] -> ${part("lines")}`,
    `vector copy ${part("lines")} -> y[0 : lines, 0 : some]`,
    "copy y[0 : lines, 0 : some] -> out[b, s + firstQuery : own, head + firstHead : mine, w : some]",
    "}",
  );
  const overKeys = (body: string): string => lines(`for j in 0 .. tiles + ${lag} {`, turn, body, "}");

  const [load, drain] = [engine(matrix.core, globalSpace, declared.q1[0]), engine(matrix.core, matrix.c, globalSpace)]; // prettier-ignore
  const [take, give] = [engine(vector.core, globalSpace, vector.space), engine(vector.core, vector.space, globalSpace)]; // prettier-ignore
  return {
    whole: lines(
      `on ${vector.core} {`,
      once,
      items(
        lines(
          share,
          query,
          begin,
          overKeys(
            lines(
              scores,
              softmax,
              make("p1"),
              "copy p[0 : live, 0 : n] -> p1[0 : live, 0 : n]",
              `let late = ${late}`,
              values(
                `p1#${lag}`,
                lines(make("o"), "copy oc[0 : late, 0 : some] -> o[0 : late, 0 : some]", update),
              ),
            ),
          ),
          end,
        ),
      ),
      "}",
    ),
    matrix: lines(
      `on ${matrix.core} {`,
      items(
        lines(
          query,
          overKeys(
            lines(
              scores,
              "copy sc[0 : rows, 0 : n] -> scores[slot : rows, 0 : n]",
              `signal ${drain} -> ${vector.core} #0`,
              `await ${vector.core} -> ${load} #1`,
              make("p1"),
              `copy probs[lastSlot * ${tile.rows} : rows, 0 : last] -> p1[0 : rows, 0 : last]`,
              "let ready = rows * min(1, last)",
              values(
                "p1",
                `copy oc[0 : ready, 0 : some] -> sums[lastSlot * ${chunks} + w / ${tile.columns}, 0 : ready, 0 : some]`,
              ),
              `signal ${drain} -> ${vector.core} #2`,
            ),
          ),
        ),
      ),
      ...Array.from({ length: lag }, () => `await ${vector.core} -> ${load} #1`),
      "}",
    ),
    vector: lines(
      `on ${vector.core} {`,
      once,
      ...Array.from({ length: lag }, () => `signal ${give} -> ${matrix.core} #1`),
      items(
        lines(
          share,
          begin,
          overKeys(
            lines(
              `await ${matrix.core} -> ${take} #0`,
              softmax,
              "copy p[0 : live, 0 : n] -> probs[slot + line : live, 0 : n]",
              `signal ${give} -> ${matrix.core} #1`,
              `await ${matrix.core} -> ${take} #2`,
              `let late = ${late}`,
              `for w in 0 .. ${width} step ${tile.columns} {`,
              `let some = min(${tile.columns}, ${width} - w)`,
              make("o"),
              `copy sums[lastSlot * ${chunks} + w / ${tile.columns}, line : late, 0 : some] -> o[0 : late, 0 : some]`,
              update,
              "}",
            ),
          ),
          end,
        ),
      ),
      "}",
    ),
  };
}

/** The loop over what a group has to do: a tile of queries with heads that share keys; each turn a later tile, as they see more keys. */
const itemsText =
  ({ heads, groups }: AttentionShape, tile: AttentionTile) =>
  (body: string): string => {
    const together = heads / groups;
    const parts = Math.ceil(together / tile.heads);
    return `
  let rounds = ceil(S, ${tile.queries})
  for item in group .. B * rounds * ${groups * parts} step groups {
    let rest = item / rounds
    let s = (item mod rounds + rest * rounds / groups) mod rounds * ${tile.queries}
    let part = rest mod ${parts} * ${tile.heads}
    let g = rest / ${parts} mod ${groups}
    let b = rest / ${parts * groups}
    let queries = min(${tile.queries}, S - s)
    let heads = min(${tile.heads}, ${together} - part)
    let head = g * ${together} + part
    let rows = queries * heads
    let limit = P + s + queries
    let tiles = ceil(limit, ${tile.keys})
    ${body}
  }`;
  };
