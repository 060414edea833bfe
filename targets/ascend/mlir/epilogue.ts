import { load } from "./boxes.ts";
import { accumulatorOf, type MatmulSpec } from "./spec.ts";
import { columnsOf } from "./tiles.ts";
import { tensorType, type Lines } from "./text.ts";

/** Lines, and the name and element type of the value they end with. */
export type Step = { readonly lines: Lines; readonly value: string; readonly element: string };

const accumulators = (spec: MatmulSpec, element: string): string =>
  tensorType([spec.tile.m, spec.tile.n], element);

/** A vector of f32 along the columns or rows of the tile, repeated over the other axis as `%NAME.wide`. */
function repeated(spec: MatmulSpec, name: string, along: "columns" | "rows", offset: string): Lines {
  const { m, n } = spec.tile;
  const [size, valid, over] =
    along === "columns" ? ([n, columnsOf(spec), 0] as const) : ([m, "%rows", 1] as const);
  const box = { name, array: `${name}.given`, element: "f32", offset, strides: [1], sizes: [size] };
  return [
    ...load({ ...box, valid: [valid] }),
    `%${name}.empty = tensor.empty() : ${accumulators(spec, "f32")}`,
    `%${name}.wide = linalg.broadcast ins(%${name} : ${tensorType([size], "f32")}) outs(%${name}.empty : ${accumulators(spec, "f32")}) dimensions = [${over}]`,
  ];
}

/** Where the vector of a column begins: each matrix of several has its own. */
const columnOffset = (spec: MatmulSpec): Lines =>
  spec.rows.kind === "one"
    ? ["%column.scale = arith.addi %zero, %column : index"]
    : [
        "%column.first = arith.muli %matrix, %n : index",
        "%column.scale = arith.addi %column.first, %column : index",
      ];

/** From accumulators to what is stored. f32 throughout, rounded after each step, as the operator is defined. */
export function epilogue(spec: MatmulSpec, from: string): Step {
  const { input, output, dequantize, bias } = spec;
  const lines: string[] = [];
  let [value, element] = [from, accumulatorOf(input) as string];
  const f32 = accumulators(spec, "f32");
  const then = (name: string, line: string, to: string): void => {
    lines.push(`%${name} = ${line}`);
    [value, element] = [name, to];
  };
  if (dequantize || bias) lines.push(...columnOffset(spec));
  if (dequantize) {
    lines.push(...repeated(spec, "column.scales", "columns", "column.scale"));
    lines.push(...repeated(spec, "row.scales", "rows", "row"));
    then("real", `arith.sitofp %${value} : ${accumulators(spec, element)} to ${f32}`, "f32");
    then("scaled", `arith.mulf %${value}, %column.scales.wide : ${f32}`, "f32");
    then("dequantized", `arith.mulf %${value}, %row.scales.wide : ${f32}`, "f32");
  }
  if (bias) {
    lines.push(...repeated(spec, "bias", "columns", "column.scale"));
    then("biased", `arith.addf %${value}, %bias.wide : ${f32}`, "f32");
  }
  if (element !== output)
    then("rounded", `arith.truncf %${value} : ${f32} to ${accumulators(spec, output)}`, output);
  return { lines, value, element };
}
