/** A checkpoint run by the interpreter: the slow way that everything else is held to. */
import { placeOf, type Mesh } from "../../src/cluster/mesh.ts";
import { openModel } from "../../src/driver/model.ts";
import { interpretRanks } from "../../src/interp/ranks.ts";
import { quantizer } from "../../src/quant/quantizer.ts";
import { evaluateRecipe } from "../../src/interp/kernels/recipe.ts";
import { sizeOfShape, type Tensor } from "../../src/interp/tensor.ts";
import type { Func, Module } from "../../src/ir/graph.ts";
import { decodeToF32 } from "../../src/tensor/codec.ts";
import type { Recipe } from "../../src/tensor/recipe.ts";
import { readRegion } from "../../src/tensor/source.ts";

/** What a sequence does in one step: which function its tokens go through. */
export type Feed = { readonly name: string; readonly ids: readonly number[] };

export type InterpretedModel = {
  readonly module: Module;
  /** Logits of every position, row by row, by one call of a module's prefill. */
  readonly prefill: (module: Module, ids: readonly number[]) => Tensor["data"];
  /** The same by one call of decode for each token. */
  readonly decode: (module: Module, ids: readonly number[]) => Float32Array;
  /** The same by modules of many ranks together. */
  readonly prefillRanks: (modules: readonly Module[], ids: readonly number[]) => Tensor["data"];
  readonly decodeRanks: (modules: readonly Module[], ids: readonly number[]) => Float32Array;
  /** The logits of several sequences, one a data-parallel group of a mesh, that step together; one that has ended idles along. */
  readonly sequences: (
    modules: readonly Module[],
    mesh: Mesh,
    feeds: readonly (readonly Feed[])[],
  ) => readonly Float32Array[];
};

/** The first value for each key; later ones are made only once. */
function remembered<K, V>(make: (key: K) => V): (key: K) => V {
  const values = new Map<K, V>();
  return (key) => {
    const value = values.get(key) ?? make(key);
    values.set(key, value);
    return value;
  };
}

const indices = (data: readonly number[]): Tensor => ({
  dtype: "i32",
  shape: [data.length],
  data: Int32Array.from(data),
});

export function interpretModel(dir: string): InterpretedModel {
  const { checkpoint, imported } = openModel(dir);
  const read = remembered((name: string): Tensor => {
    const entry = checkpoint.tensors.get(name);
    if (!entry) throw new Error(`no tensor ${name}`);
    const data = new Float32Array(sizeOfShape(entry.shape));
    decodeToF32(entry.dtype, readRegion(entry.region), data);
    return { dtype: "f32", shape: entry.shape, data };
  });
  const weight = remembered((recipe: Recipe) => evaluateRecipe(recipe, read, quantizer));
  const named = (module: Module, name: string): Func => {
    const func = module.funcs.find((f) => f.name === name);
    if (!func) throw new Error(`no function ${name}`);
    return func;
  };
  /** What goes into a call: caches not given are empty. */
  const inputsOf = (
    func: Func,
    ids: readonly number[],
    past: number,
    caches: ReadonlyMap<string, Tensor>,
  ) => {
    const given = new Map([
      ["ids", indices(ids)],
      ["positions", indices(ids.map((_, i) => past + i))],
    ]);
    for (const { name, type } of func.params) {
      const empty: Tensor = {
        dtype: "f32",
        shape: [0, ...type.dims.slice(1).map(Number)],
        data: new Float32Array(0),
      };
      if (!given.has(name)) given.set(name, caches.get(name) ?? empty);
    }
    return given;
  };
  type Caches = ReadonlyMap<string, Tensor>;
  type Step = Feed & { readonly past: number };
  const step = (
    modules: readonly Module[],
    of: (rank: number) => Step,
    caches: readonly Caches[],
  ): readonly Caches[] =>
    interpretRanks(
      modules.map((module, rank) => {
        const { name, ids, past } = of(rank);
        const func = named(module, name);
        return { func, inputs: inputsOf(func, ids, past, caches[rank] ?? new Map()) };
      }),
      weight,
    );
  const call = (
    modules: readonly Module[],
    name: string,
    ids: readonly number[],
    past: number,
    caches: readonly Caches[],
  ): readonly Caches[] => step(modules, () => ({ name, ids, past }), caches);
  const sequences: InterpretedModel["sequences"] = (modules, mesh, feeds) => {
    const rows = Array.from({ length: mesh.dp }, (): number[] => []);
    const past = rows.map(() => 0);
    let caches: readonly Caches[] = [];
    for (let at = 0; at < Math.max(...feeds.map((it) => it.length)); at++) {
      const now = rows.map((_, lane): Step => ({
        ...(feeds[lane]?.[at] ?? { name: "prefill", ids: [] }),
        past: past[lane] ?? 0,
      }));
      const results = step(
        modules,
        (rank) => now[placeOf(mesh, rank).dp] ?? { name: "", ids: [], past: 0 },
        caches,
      );
      caches = results;
      now.forEach(({ ids }, lane) => {
        const own = results.filter((_, rank) => placeOf(mesh, rank).dp === lane);
        rows[lane]?.push(...logitsOf(own));
        past[lane] = (past[lane] ?? 0) + ids.length;
      });
    }
    return rows.map((it) => Float32Array.from(it));
  };
  const logitsOf = (results: readonly Caches[]): Tensor["data"] =>
    results.find((it) => it.has("logits"))?.get("logits")?.data ?? new Float32Array(0);
  const prefillRanks: InterpretedModel["prefillRanks"] = (modules, ids) =>
    logitsOf(call(modules, "prefill", ids, 0, []));
  const decodeRanks: InterpretedModel["decodeRanks"] = (modules, ids) => {
    let caches: readonly Caches[] = [];
    const rows = ids.map((id, i) => {
      caches = call(modules, "decode", [id], i, caches);
      return logitsOf(caches);
    });
    return Float32Array.from(rows.flatMap((row) => [...row]));
  };
  return {
    module: imported.module,
    prefill: (module, ids) => prefillRanks([module], ids),
    decode: (module, ids) => decodeRanks([module], ids),
    prefillRanks,
    decodeRanks,
    sequences,
  };
}

/** The largest difference of two arrays; NaN where their lengths or a NaN among them say so. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return NaN;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs((a[i] ?? NaN) - (b[i] ?? NaN));
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}
