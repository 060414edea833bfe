import { isOp, type Func, type Node, type Value } from "../../src/ir/graph.ts";
import { makeNode } from "../../src/ir/builder.ts";
import { edit, type Site } from "../../src/pass/edit.ts";
import { counter, type Pass } from "../../src/pass/pass.ts";
import { constant, dequantize, reshape, type Recipe } from "../../src/tensor/recipe.ts";
import { mapMatrices, matricesOf } from "../../src/tensor/matrices.ts";

/**
 * Channels between what makes them and the products that read them: what makes them can be divided, and the columns that read them
 * multiplied, by one factor a channel, and nothing changes.
 */
export type ChannelGroup = {
  /** The names of what made the first reader. */
  readonly key: string;
  readonly channels: number;
  /** Weights whose columns read the channels; matrix e of a stack reads those from e times its columns on. */
  readonly readers: readonly { readonly weight: Value; readonly isStack: boolean }[];
  readonly maker: Value;
  /** The channel that a row of the maker's matrices makes; absent where the maker is a norm's gain. */
  readonly channelOf?: (matrix: number, row: number) => number | undefined;
};

const weightAt = (site: Site, value: Value | undefined): Recipe | undefined => {
  const maker = value && site.definition(value);
  return isOp(maker, "weight") ? maker.attrs.recipe : undefined;
};

/** The only reader of a value that no one outside sees, or undefined. */
function onlyReader(site: Site, value: Value | undefined): Node | undefined {
  if (!value || site.isResult(value)) return undefined;
  const readers = [...site.readers(value)];
  return readers.length === 1 ? readers[0] : undefined;
}

type Reader = ChannelGroup["readers"][number];

/** The weight whose columns a node applies to `x` or to what a cache holds of it, or undefined. */
function columnReader(site: Site, node: Node, x: Value): Reader | undefined {
  const at = (i: number, isStack = false): Reader | undefined => {
    const weight = node.operands[i];
    const isShared = weight && ([...site.readers(weight)].length > 1 || site.isResult(weight));
    return weight && !isShared && weightAt(site, weight) ? { weight, isStack } : undefined;
  };
  if (isOp(node, "linear")) return node.operands[0] === x ? at(1) : undefined;
  if (isOp(node, "experts")) return node.operands[0] === x ? at(3) : undefined;
  if (isOp(node, "concat") && node.operands[0] === x) {
    const append = onlyReader(site, node.results[0]);
    const [cache] = append?.results ?? [];
    if (!isOp(append, "cacheAppend") || !cache) return undefined;
    const [attention, ...more] = [...site.readers(cache)];
    if (!isOp(attention, "latentAttention") || more.length > 0) return undefined;
    const weight = attention.operands[3];
    return weight && weightAt(site, weight) ? { weight, isStack: false } : undefined;
  }
  return undefined;
}

function normGroup(site: Site, node: Node): ChannelGroup | undefined {
  const [out] = node.results;
  const gain = node.operands[1];
  if (!isOp(node, "rmsNorm") || !out || !gain || !weightAt(site, gain) || site.isResult(out))
    return undefined;
  if (site.readers(gain).size > 1) return undefined;
  const readers: Reader[] = [];
  for (const reader of site.readers(out)) {
    const found = columnReader(site, reader, out);
    if (!found) return undefined;
    readers.push(found);
  }
  return named(site, { channels: Number(gain.type.dims[0]), readers, maker: gain });
}

/** up to down: what passes silu cannot be scaled, what is multiplied with it can. */
function gatedGroup(site: Site, node: Node): ChannelGroup | undefined {
  const [x, weight] = node.operands;
  const product = x && site.definition(x);
  if (!isOp(node, "linear") || !isOp(product, "mul") || !x || !weight || site.readers(x).size > 1)
    return undefined;
  if (!weightAt(site, weight) || site.readers(weight).size > 1) return undefined;
  const up = product.operands.map((v) => site.definition(v)).find((n) => isOp(n, "linear"));
  const maker = up?.operands[1];
  if (!maker || !onlyReader(site, up.results[0]) || !weightAt(site, maker) || site.readers(maker).size > 1)
    return undefined;
  if (up.operands[2]) return undefined;
  return named(site, {
    channels: Number(weight.type.dims[1]),
    readers: [{ weight, isStack: false }],
    maker,
    channelOf: (_, row) => row,
  });
}

function expertsGroup(site: Site, node: Node): ChannelGroup | undefined {
  const [, , , gateUp, down] = node.operands;
  const [recipe, out] = [weightAt(site, gateUp), weightAt(site, down)];
  if (!isOp(node, "experts") || !gateUp || !down || !recipe || !out) return undefined;
  const [experts = 0, , inner = 0] = down.type.dims.map(Number);
  // Gate and up must be matrices of their own, so that a row's number tells which it is of.
  if (matricesOf(recipe).length !== 2 * experts || matricesOf(out).length !== experts) return undefined;
  return named(site, {
    channels: experts * inner,
    readers: [{ weight: down, isStack: true }],
    maker: gateUp,
    channelOf: (matrix, row) => (matrix % 2 === 1 ? ((matrix - 1) / 2) * inner + row : undefined),
  });
}

/** Values of latent attention to the product behind it. */
function valuesGroup(site: Site, node: Node): ChannelGroup | undefined {
  const flat = isOp(node, "latentAttention") ? onlyReader(site, node.results[0]) : undefined;
  const product = isOp(flat, "reshape") ? onlyReader(site, flat.results[0]) : undefined;
  const [maker, weight] = [node.operands[3], product?.operands[1]];
  if (!isOp(product, "linear") || !maker || !weight || !weightAt(site, maker) || !weightAt(site, weight))
    return undefined;
  const [, rows = 1] = maker.type.dims.map(Number);
  const nope = Number(node.operands[0]?.type.dims[2]);
  return named(site, {
    channels: Number(weight.type.dims[1]),
    readers: [{ weight, isStack: false }],
    maker,
    channelOf: (_, row) => {
      const within = (row % rows) - nope;
      return within < 0 ? undefined : Math.floor(row / rows) * (rows - nope) + within;
    },
  });
}

function named(site: Site, group: Omit<ChannelGroup, "key">): ChannelGroup | undefined {
  const [first] = group.readers;
  const origin = first && site.definition(first.weight)?.origin.join("+");
  return origin ? { key: origin, ...group } : undefined;
}

/** Every group of channels of a function. */
export function channelGroups(func: Func): readonly ChannelGroup[] {
  const { site } = edit(func);
  return func.body.flatMap((node) =>
    [normGroup, gatedGroup, expertsGroup, valuesGroup].flatMap((find) => find(site, node) ?? []),
  );
}

/** The columns of each matrix of a reader times their channels' factors. */
function scaledColumns(recipe: Recipe, isStack: boolean, factors: ArrayLike<number>): Recipe {
  let at = 0;
  return mapMatrices(recipe, (matrix) => {
    const [rows = 1, cols = 1] = matrix.shape;
    const from = isStack ? at : 0;
    at += cols;
    const own = Array.from({ length: cols }, (_, i) => factors[from + i] ?? 1);
    return dequantize(matrix, constant([1, cols], own), [rows, 1]);
  });
}

/** The rows of a maker's matrices, or a norm's gain, divided by their channels' factors. */
function dividedRows(
  recipe: Recipe,
  channelOf: ChannelGroup["channelOf"],
  factors: ArrayLike<number>,
): Recipe {
  const inverse = (channel: number | undefined): number =>
    channel === undefined ? 1 : 1 / (factors[channel] ?? 1);
  if (!channelOf) {
    const [n = 1] = recipe.shape;
    const own = Array.from({ length: n }, (_, i) => inverse(i));
    return reshape(dequantize(reshape(recipe, [1, n]), constant([1, n], own), [1, 1]), [n]);
  }
  let at = 0;
  return mapMatrices(recipe, (matrix) => {
    const [rows = 1, cols = 1] = matrix.shape;
    const number = at++;
    const own = Array.from({ length: rows }, (_, row) => inverse(channelOf(number, row)));
    return dequantize(matrix, constant([rows, 1], own), [1, cols]);
  });
}

/** Whether a reader's columns have factors already: a balanced module stays as it is. */
const isBalanced = (recipe: Recipe | undefined): boolean =>
  recipe !== undefined &&
  matricesOf(recipe).some(
    (m) => m.kind === "dequantize" && m.scale.kind === "literal" && m.scale.shape[0] === 1,
  );

const ruleName = "balance-channels";

/** A pass that scales the channels of those groups for which there are factors. */
export const balanceChannels = (
  factorsOf: (key: string, channels: number) => ArrayLike<number> | undefined,
): Pass => ({
  name: ruleName,
  summary: "what makes channels ⟶ divided by, and what reads them multiplied by, one factor a channel",
  scope: "all",
  tolerance: 1e-5,
  rules: [ruleName],
  run: (func, enabled = () => true) => {
    const { counts, add } = counter();
    if (!enabled(ruleName)) return { func, counts };
    const { site } = edit(func);
    const recipes = new Map<Value, Recipe>();
    const change = (weight: Value, by: (recipe: Recipe) => Recipe) => {
      const recipe = recipes.get(weight) ?? weightAt(site, weight);
      if (recipe) recipes.set(weight, by(recipe));
    };
    for (const { key, channels, readers, maker, channelOf } of channelGroups(func)) {
      const factors = factorsOf(key, channels);
      if (!factors || readers.some(({ weight }) => isBalanced(weightAt(site, weight)))) continue;
      for (const { weight, isStack } of readers) change(weight, (r) => scaledColumns(r, isStack, factors));
      change(maker, (r) => dividedRows(r, channelOf, factors));
      add(ruleName);
    }
    if (recipes.size === 0) return { func, counts };
    const renewed = new Map<Value, Value>();
    const body = func.body.map((node) => {
      const [old] = node.results;
      const recipe = old && recipes.get(old);
      if (!recipe || !old) return { ...node, operands: node.operands.map((v) => renewed.get(v) ?? v) };
      const made = makeNode("weight", [], { recipe }, node.origin);
      renewed.set(old, made.results[0] ?? old);
      return made;
    });
    return { func: { ...func, body }, counts };
  },
});

/** Channels scaled by powers of two that repeat, for whoever asks for the pass by name. */
export const balanceByTwos = balanceChannels((_, channels) =>
  Array.from({ length: channels }, (_, i) => 2 ** ((i % 3) - 1)),
);
