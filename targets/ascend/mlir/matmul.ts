/**
 * Matrix kernels as text for `bishengir-compile`: the tensor-level form that Triton's Ascend back end produces. It says which box of which
 * array meets which; Huawei's compiler places the tiles in L1 and L0C, inserts the flags, and gives what is not a product to the vector
 * cores.
 */
import { load, store } from "./boxes.ts";
import { epilogue } from "./epilogue.ts";
import { accumulatorOf, isMixed, kernelName, matricesOf, type MatmulSpec } from "./spec.ts";
import { columnsOf, depthOf, eachTile, sizeConstants } from "./tiles.ts";
import { inside, tensorType, type Lines } from "./text.ts";

/** Parameters in the order of the launch; the first two and the last six are the runtime's. */
function parameters({ rows, input, output, dequantize, bias }: MatmulSpec): readonly string[] {
  return [
    "%lock: memref<?xi8>",
    "%workspace: memref<?xi8>",
    `%x.given: memref<?x${input}>`,
    `%w.given: memref<?x${input}>`,
    `%out.given: memref<?x${output}>`,
    ...(dequantize ? ["%column.scales.given: memref<?xf32>", "%row.scales.given: memref<?xf32>"] : []),
    ...(bias ? ["%bias.given: memref<?xf32>"] : []),
    rows.kind === "grouped" ? "%offsets: memref<?xi32>" : "%rows.given: i32",
    ...["x", "y", "z"].map((it) => `%programs.${it}: i32`),
    ...["x", "y", "z"].map((it) => `%program.${it}: i32`),
  ];
}

/** Elements from one row of x, and of the result, to the next. */
const strides = ({ rows, n, k }: MatmulSpec) => {
  const side = rows.kind === "heads" ? matricesOf(rows) : 1;
  return { x: side * k, out: side * n };
};

/** `%TO = %ROW * stride + %rest...`, element offsets of a tile. */
const offset = (to: string, row: string, stride: number, rest: readonly string[]): Lines => [
  `%${to}.stride = arith.constant ${stride} : index`,
  ...rest.reduce<readonly string[]>(
    (lines, it, i) => [
      ...lines,
      `%${to}${i + 1 === rest.length ? "" : `.${i + 1}`} = arith.addi %${to}.${i}, %${it} : index`,
    ],
    [`%${to}.0 = arith.muli %${row}, %${to}.stride : index`],
  ),
];

/** One step of the sum: a box of x, a box of w, and their product onto `%sum`. */
function product(spec: MatmulSpec): Lines {
  const { rows, n, k, input, weight, tile } = spec;
  const acc = accumulatorOf(input);
  const depth = depthOf(spec);
  const sums = tensorType([tile.m, tile.n], acc);
  const ofMatrix = rows.kind === "one" ? [] : ["matrix.begin"];
  const w =
    weight === "nk"
      ? { row: "column", stride: k, along: "depth.at", sizes: [tile.n, tile.k], valid: [columnsOf(spec), depth] }
      : { row: "depth.at", stride: n, along: "column", sizes: [tile.k, tile.n], valid: [depth, columnsOf(spec)] }; // prettier-ignore
  const turned = tensorType([tile.k, tile.n], input);
  return [
    ...(depth === tile.k
      ? []
      : [
          "%depth.left = arith.subi %k, %depth.at : index",
          "%depth = arith.minsi %depth.left, %tile.k : index",
        ]),
    ...offset("x.offset", "row", strides(spec).x, [...(rows.kind === "heads" ? ["head.x"] : []), "depth.at"]),
    ...load({
      name: "x",
      array: "x.given",
      element: input,
      offset: "x.offset",
      strides: [strides(spec).x, 1],
      sizes: [tile.m, tile.k],
      valid: ["%rows", depth],
    }),
    ...offset("w.offset", w.row, w.stride, [...ofMatrix, w.along]),
    ...load({
      name: "w",
      array: "w.given",
      element: input,
      offset: "w.offset",
      strides: [w.stride, 1],
      sizes: w.sizes,
      valid: w.valid,
    }),
    ...(weight === "kn"
      ? []
      : [
          `%w.empty = tensor.empty() : ${turned}`,
          `%w.turned = linalg.transpose ins(%w : ${tensorType(w.sizes, input)}) outs(%w.empty : ${turned}) permutation = [1, 0]`,
        ]),
    `%more = linalg.matmul ins(%x, %${weight === "kn" ? "w" : "w.turned"} : ${tensorType([tile.m, tile.k], input)}, ${turned}) outs(%sum : ${sums}) -> ${sums}`,
    `scf.yield %more : ${sums}`,
  ];
}

/** What a core does for one tile of the result. */
function tileBody(spec: MatmulSpec): Lines {
  const { rows, input, output, tile } = spec;
  const acc = accumulatorOf(input);
  const sums = tensorType([tile.m, tile.n], acc);
  const { lines, value } = epilogue(spec, "sums");
  return [
    ...(rows.kind === "one" ? [] : ["%matrix.begin = arith.muli %matrix, %matrix.size : index"]),
    ...(rows.kind === "heads"
      ? ["%head.x = arith.muli %matrix, %k : index", "%head.out = arith.muli %matrix, %n : index"]
      : []),
    `%none = tensor.empty() : ${sums}`,
    `%nothing = arith.constant ${acc === "i32" ? "0" : "0.0"} : ${acc}`,
    `%cleared = linalg.fill ins(%nothing : ${acc}) outs(%none : ${sums}) -> ${sums}`,
    `%sums = scf.for %depth.at = %zero to %k step %tile.k iter_args(%sum = %cleared) -> (${sums}) {`,
    ...inside(product(spec)),
    "}",
    ...lines,
    ...offset("out.offset", "row", strides(spec).out, [
      ...(rows.kind === "heads" ? ["head.out"] : []),
      "column",
    ]),
    ...store(
      {
        name: "out",
        array: "out.given",
        element: output,
        offset: "out.offset",
        strides: [strides(spec).out, 1],
        sizes: [tile.m, tile.n],
        valid: ["%rows", columnsOf(spec)],
      },
      value,
    ),
  ];
}

/** A kernel as a module of its own, for a chip by the name that Huawei's compiler knows it by. */
export function matmulText(spec: MatmulSpec, chip: string): string {
  const mode = isMixed(spec) ? "mix" : "aic";
  const attributes = [
    "SyncBlockLockArgIdx = 0 : i64",
    "WorkspaceArgIdx = 1 : i64",
    'global_kernel = "local"',
    "hacc.entry",
    "hacc.function_kind = #hacc.function_kind<DEVICE>",
    `mix_mode = "${mode}"`,
    'parallel_mode = "simd"',
  ];
  const lines = [
    `module attributes {hacc.target = #hacc.target<"${chip}">} {`,
    ...inside([
      `func.func @${kernelName(spec)}(`,
      ...inside(parameters(spec).map((it, i, all) => (i + 1 < all.length ? `${it},` : it))),
      `) attributes {${attributes.join(", ")}} {`,
      ...inside([...sizeConstants(spec), ...eachTile(spec, tileBody(spec)), "return"]),
      "}",
    ]),
    "}",
  ];
  return `${lines.join("\n")}\n`;
}
