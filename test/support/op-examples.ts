/** For every operator small functions that use it; an operator without one does not compile. */
import { buildFunc } from "../../src/ir/builder.ts";
import type { Func } from "../../src/ir/graph.ts";
import type { OpAttrs, OpName } from "../../src/ir/ops/index.ts";
import type { Dim } from "../../src/ir/dim.ts";
import { tensor, type TensorType } from "../../src/ir/types.ts";
import {
  concat,
  constant,
  dequantize,
  quantized,
  reshape,
  slice,
  source,
  stack,
  transpose,
} from "../../src/tensor/recipe.ts";

/** The type of an operand: float32 unless it says otherwise. */
type Operand =
  | readonly Dim[]
  | { readonly i32: readonly Dim[] }
  | { readonly i8: readonly Dim[] }
  | { readonly bool: readonly Dim[] };
type Example<K extends OpName> = { readonly operands: readonly Operand[]; readonly attrs: OpAttrs<K> };

const eps = 1e-6;
const routing = {
  scoring: "softmax",
  groups: 1,
  topGroups: 1,
  groupScore: "max",
  normalize: true,
  scale: 1,
} as const;
const plainUnary = [{ operands: [["S", 5]], attrs: {} }] as const;
const plainBinary = [
  {
    operands: [
      ["S", 5],
      ["S", 5],
    ],
    attrs: {},
  },
  { operands: [["S", 3, 4], [4]], attrs: {} },
  { operands: [["S", 1], [7]], attrs: {} },
] as const;
const w = (rows: number, cols: number) => source(`w${rows}x${cols}`, "bf16", [rows, cols]);
const fp8 = dequantize(source("codes", "f8e4m3", [5, 6]), source("scales", "f32", [3, 2]), [2, 4]);

export const examples: { readonly [K in OpName]: readonly Example<K>[] } = {
  weight: [
    w(3, 4),
    concat([w(3, 4), w(2, 4)]),
    stack([w(3, 4), w(3, 4)]),
    transpose(slice(w(5, 4), 0, 1, 3)),
    reshape(concat([constant([1, 6], [1, -0, 0.1, 1e-30, 5, 6]), fp8]), [36]),
    fp8,
    quantized(w(3, 4), "int4-g32-asym", "nearest"),
  ].map((recipe) => ({ operands: [], attrs: { recipe } })),
  constant: [{ operands: [], attrs: { dtype: "f32", dims: [2, 2], values: [1, -0.5, Infinity, 1e-40] } }],
  reshape: [{ operands: [["S", 6, 4]], attrs: { dims: ["S", 3, 8] } }],
  transpose: [{ operands: [["S", 2, 3]], attrs: { perm: [2, 0, 1] } }],
  slice: [
    { operands: [["S", 7]], attrs: { axis: 1, begin: 2, end: 6 } },
    { operands: [["2*S+1", 3]], attrs: { axis: 0, begin: "S", end: "2*S" } },
  ],
  extent: [{ operands: [], attrs: { dtype: "i64", dims: [3], values: ["S", "2*P+S-1", "floor(S,4)"] } }],
  take: [{ operands: [["S", 7], { i32: [2, 3] }], attrs: { axis: 1 } }],
  takeAlong: [{ operands: [["S", 7], { i32: ["S", 3] }], attrs: { axis: 1 } }],
  scatterAlong: [
    { operands: [["S", 7], { i32: ["S", 3] }, ["S", 3]], attrs: { axis: 1, how: "set" } },
    { operands: [["S", 7], { i32: ["S", 3] }, ["S", 3]], attrs: { axis: 1, how: "add" } },
  ],
  scatterRows: [{ operands: [[7, 3], { i32: [4] }, [4, 3]], attrs: { how: "max" } }],
  nonZero: [{ operands: [["S", 4]], attrs: { count: "found" } }],
  unique: [{ operands: [[6, 2]], attrs: { order: "sorted", count: "different" } }],
  bitAnd: [{ operands: [{ i32: [4] }, { i32: [4] }], attrs: {} }],
  bitOr: [{ operands: [{ i32: [4] }, { i32: [4] }], attrs: {} }],
  bitXor: [{ operands: [{ i32: [4] }, { i32: [4] }], attrs: {} }],
  bitNot: [{ operands: [{ i32: [4] }], attrs: {} }],
  shiftLeft: [{ operands: [{ i32: [4] }, { i32: [4] }], attrs: {} }],
  shiftRight: [{ operands: [{ i32: [4] }, { i32: [4] }], attrs: {} }],
  bitcast: [{ operands: [["S", 4]], attrs: { dtype: "i32" } }],
  reduceProd: [{ operands: [["S", 4]], attrs: { axis: 1 } }],
  cumulate: [
    { operands: [["S", 4]], attrs: { axis: 1, how: "sum", exclusive: false, reverse: false } },
    { operands: [["S", 4]], attrs: { axis: 0, how: "product", exclusive: true, reverse: true } },
  ],
  concat: [
    {
      operands: [
        ["S", 2],
        ["S", 3],
        ["S", 1],
      ],
      attrs: { axis: 1 },
    },
  ],
  broadcast: [{ operands: [["S", 1, 3]], attrs: { dims: ["S", 4, 3] } }],
  gather: [{ operands: [[9, 4], { i32: ["S"] }], attrs: {} }],
  cacheAppend: [
    {
      operands: [
        ["P", 4],
        ["S", 4],
      ],
      attrs: {},
    },
  ],
  add: plainBinary,
  sub: plainBinary,
  mul: plainBinary,
  div: plainBinary,
  max: plainBinary,
  min: plainBinary,
  mod: plainBinary,
  pow: plainBinary,
  neg: plainUnary,
  abs: plainUnary,
  sign: plainUnary,
  floor: plainUnary,
  ceil: plainUnary,
  round: plainUnary,
  log: plainUnary,
  tanh: plainUnary,
  erf: plainUnary,
  exp: plainUnary,
  cos: plainUnary,
  sin: plainUnary,
  sqrt: plainUnary,
  rsqrt: plainUnary,
  sigmoid: plainUnary,
  silu: plainUnary,
  cast: [
    { operands: [["S", 3]], attrs: { dtype: "i32" } },
    { operands: [{ i32: ["S", 3] }], attrs: { dtype: "f32" } },
  ],
  iota: [{ operands: [], attrs: { dims: [2, 3, 4], axis: 1 } }],
  compare: (["equal", "less", "greaterOrEqual"] as const).map((how) => ({
    operands: [{ i32: ["S", 3] }, { i32: [3] }],
    attrs: { how },
  })),
  select: [{ operands: [{ bool: ["S", 1] }, ["S", 3], [3]], attrs: {} }],
  topK: [{ operands: [["S", 7]], attrs: { k: 3 } }],
  linear: [
    {
      operands: [
        ["S", 6],
        [5, 6],
      ],
      attrs: {},
    },
    { operands: [["S", 6], [5, 6], [5]], attrs: {} },
  ],
  headLinear: [
    {
      operands: [
        ["S", 2, 6],
        [2, 5, 6],
      ],
      attrs: {},
    },
  ],
  matmul: [
    {
      operands: [
        ["S", 3, 4],
        ["S", 4, 2],
      ],
      attrs: {},
    },
    {
      operands: [
        ["S", 3, 4],
        [4, 2],
      ],
      attrs: {},
    },
  ],
  rmsNorm: [
    { operands: [["S", 6], [6]], attrs: { eps } },
    { operands: [["S", 2, 5], [5]], attrs: { eps } },
  ],
  addRmsNorm: [{ operands: [["S", 6], ["S", 6], [6]], attrs: { eps } }],
  softmax: plainUnary,
  reduceSum: [{ operands: [["S", 3, 4]], attrs: { axis: 1 } }],
  reduceMean: [{ operands: [["S", 3, 4]], attrs: { axis: 2 } }],
  reduceMax: [{ operands: [["S", 3, 4]], attrs: { axis: 1 } }],
  rope: (["interleaved", "halves"] as const).map((pairs) => ({
    operands: [["S", 2, 6], { i32: ["S"] }, [3]],
    attrs: { pairs, scale: 1.25 },
  })),
  attention: [
    {
      operands: [
        ["S", 4, 6],
        ["P+S", 2, 6],
        ["P+S", 2, 5],
      ],
      attrs: { scale: 0.5 },
    },
    {
      operands: [
        ["S", 4, 6],
        ["P+S", 2, 6],
        ["P+S", 2, 5],
        ["S", "P+S"],
      ],
      attrs: { scale: 0.5 },
    },
    {
      operands: [
        ["S", 3, 2],
        ["P+S", 1, 2],
        ["P+S", 1, 7],
      ],
      attrs: { scale: 1 },
    },
  ],
  latentAttention: [
    {
      operands: [
        ["S", 2, 3],
        ["S", 2, 2],
        ["P+S", 6],
        [2, 8, 4],
      ],
      attrs: { scale: 0.7 },
    },
    {
      operands: [
        ["S", 2, 3],
        ["S", 2, 2],
        ["P+S", 6],
        [2, 8, 4],
        ["S", "P+S"],
      ],
      attrs: { scale: 0.7 },
    },
  ],
  swiglu: [
    {
      operands: [
        ["S", 5],
        ["S", 5],
      ],
      attrs: {},
    },
  ],
  swigluPacked: [{ operands: [["S", 6]], attrs: {} }],
  router: [
    { operands: [["S", 6]], attrs: { ...routing, topK: 2 } },
    { operands: [["S", 6]], attrs: { ...routing, topK: 3, normalize: false, scale: 2.5 } },
    {
      operands: [["S", 8], [8]],
      attrs: { ...routing, topK: 3, scoring: "sigmoid", groups: 4, topGroups: 2, groupScore: "top2" },
    },
    { operands: [["S", 8]], attrs: { ...routing, topK: 2, groups: 2, topGroups: 1 } },
  ],
  expert: [
    { operands: [["S", 4], { i32: ["S", 2] }, ["S", 2], [3, 4], [3, 4], [4, 3]], attrs: { index: 1 } },
  ],
  experts: [{ operands: [["S", 4], { i32: ["S", 2] }, ["S", 2], [2, 6, 4], [2, 4, 3]], attrs: {} }],
  expertHidden: [{ operands: [["S", 4], { i32: ["S", 2] }, [2, 6, 4]], attrs: {} }],
  quantizeRows: [
    { operands: [["S", 5]], attrs: {} },
    { operands: [["S", 2, 3]], attrs: {} },
  ],
  dequantizeRows: [
    { operands: [{ i8: ["S", 5] }, ["S"]], attrs: {} },
    { operands: [{ i8: ["S", 2, 3] }, ["S", 2]], attrs: {} },
  ],
  hadamard: [{ operands: [["S", 16]], attrs: { block: 8 } }],
  integerLinear: [
    { operands: [["S", 6], { i8: [5, 6] }, [5, 2]], attrs: { group: 4, bits: 8 } },
    { operands: [["S", 6], { i8: [5, 6] }, [5, 1], [5]], attrs: { group: 6, bits: 4 } },
  ],
  allReduce: [{ operands: [["S", 5]], attrs: { group: [0] } }],
  reduceScatter: [{ operands: [["S", 6]], attrs: { group: [0], axis: 1, begin: 2, end: 5 } }],
  allGather: [{ operands: [["S", 5]], attrs: { group: [0], axis: 0, size: "S" } }],
  dispatch: [
    {
      operands: [["S", 5], { i32: ["S", 3] }, ["S", 3]],
      attrs: { group: [0], held: [1, 0, 1], starts: [0, 3], count: "A" },
    },
  ],
  combine: [{ operands: [["S", 5], { i32: ["S", 2] }], attrs: { group: [0], size: 2 } }],
  send: [{ operands: [["S", 5]], attrs: { group: [0, 1] } }],
  recv: [{ operands: [], attrs: { group: [0, 1], dtype: "f32", dims: ["S", 5] } }],
  integerExperts: [
    {
      operands: [
        ["S", 4],
        { i32: ["S", 2] },
        ["S", 2],
        { i8: [2, 6, 4] },
        [2, 6, 2],
        { i8: [2, 4, 3] },
        [2, 4, 1],
      ],
      attrs: { gateUpGroup: 2, gateUpBits: 8, downGroup: 3, downBits: 4, downRotation: 1 },
    },
  ],
};

function typeOf(operand: Operand): TensorType {
  if ("i32" in operand) return tensor("i32", ...operand.i32);
  if ("i8" in operand) return tensor("i8", ...operand.i8);
  return "bool" in operand ? tensor("bool", ...operand.bool) : tensor("f32", ...operand);
}

/** An example as a function whose operands are its parameters. */
export function exampleFunc<K extends OpName>(op: K, { operands, attrs }: Example<K>): Func {
  const b = buildFunc("main");
  const values = operands.map((operand, i) => b.param(`x${i}`, typeOf(operand)));
  b.multi(op, values, attrs, ["example"]).forEach((value, i) => b.result(`r${i}`, value));
  return b.finish();
}

/** Every example of every operator. */
export const exampleFuncs: readonly { readonly op: OpName; readonly func: Func }[] = Object.entries(
  examples as Readonly<Record<OpName, readonly Example<OpName>[]>>, // the table gives each operator its own attributes
).flatMap(([op, list]) =>
  list.map((example) => ({ op: op as OpName, func: exampleFunc(op as OpName, example) })),
);
