import { depthOf, runOf, sumsOf, type GemmSpec } from "../../../device/kernels/matrix/spec.ts";
import { load, store, type Box } from "../boxes.ts";
import { elementOf } from "../elements.ts";
import type { Mode, Scope } from "../kernel.ts";
import {
  alongRows,
  binary,
  converted,
  filled,
  like,
  multiplied,
  perRow,
  type Element,
  type Tensor,
} from "../tensors.ts";
import { carrying, least, minus, offsetOf, plus, times, type Index, type Writer } from "../writer.ts";
import { isGrouped, type Cut } from "./cut.ts";
import { overTiles, type Place } from "./places.ts";
import { groupBox, weights } from "./weights.ts";

/** Which cores a product takes: the vector cores for what the cube cannot do. */
export const modeOf = ({ w, a, bias }: GemmSpec): Mode =>
  w.kind !== "plain" || w.dtype !== a.dtype || bias === true ? "mix" : "aic";

/** out = a w^T tile by tile; what becomes of the sums is float32 throughout, rounded after each step. */
export function gemm(scope: Scope, spec: GemmSpec, cut: Cut): void {
  const { w } = scope;
  overTiles(scope, spec, cut, (place) => {
    const sums = isGrouped(spec) ? groupedSums(w, spec, cut, place) : scaledSums(w, spec, cut, place, 0);
    const result = finished(w, spec, cut, place, sums);
    store(
      w,
      "out",
      rowsBox(w, "out", spec, cut, place),
      converted(w, "rounded", result, elementOf(spec.out.dtype)),
    );
  });
}

/** The place's rows of the result. */
function rowsBox(w: Writer, name: "out", spec: GemmSpec, { m, width }: Cut, place: Place): Box {
  const { heads = 1, width: n, dtype, rowStride = heads * n, headStride = n } = spec[name];
  return {
    array: { name, element: elementOf(dtype) },
    offset: offsetOf(w, `${name}.offset`, [place.row, rowStride], [heads > 1 ? place.matrix : 0, headStride], [place.column, 1]), // prettier-ignore
    strides: [rowStride, 1],
    sizes: [m, width],
    valid: [place.rows, place.columns],
  };
}

/** The place's rows of a, `depth` columns from `at`. */
function operand(
  w: Writer,
  spec: GemmSpec,
  { m, depth: most }: Cut,
  place: Place,
  at: Index,
  depth: Index,
): Tensor {
  const { heads = 1, width: k, dtype, rowStride = heads * k, headStride = k } = spec.a;
  return load(w, "a", {
    array: { name: "a", element: elementOf(dtype) },
    offset: offsetOf(
      w,
      "a.offset",
      [place.row, rowStride],
      [heads > 1 ? place.matrix : 0, headStride],
      [at, 1],
    ),
    strides: [rowStride, 1],
    sizes: [m, most],
    valid: [place.rows, depth],
  });
}

/** Products summed on the cube, over `run` columns from `from`. */
function summed(w: Writer, spec: GemmSpec, cut: Cut, place: Place, from: Index, run: Index): Tensor {
  const input: Element = elementOf(spec.a.dtype);
  const none = filled(w, "none", 0, [cut.m, cut.width], input === "i8" ? "i32" : "f32");
  const isEven = typeof run === "number" && run % cut.depth === 0;
  const [sums] = carrying(w, "depth.at", [0, run, cut.depth], [none], (at, [sum]) => {
    const depth = isEven ? cut.depth : least(w, "depth", minus(w, "depth.left", run, at), cut.depth);
    const column = plus(w, "depth.from", from, at);
    const x = operand(w, spec, cut, place, column, depth);
    const m = weights(w, spec, cut, place, column, depth, input);
    return [multiplied(w, "more", x, m, like(sum, none))];
  });
  return like(sums, none);
}

/** The sums of a group as float32, times the scales of its columns where they have such. */
function scaledSums(w: Writer, spec: GemmSpec, cut: Cut, place: Place, group: Index): Tensor {
  const [k, most] = [depthOf(spec), runOf(spec)];
  const from = times(w, "group.from", group, most);
  const run = k % most === 0 ? most : least(w, "group.run", minus(w, "group.left", k, from), most);
  const sums = summed(w, spec, cut, place, from, run);
  if (spec.w.kind !== "integer") return sums;
  const real = converted(w, "real", sums, "f32");
  const scales = load(w, "scales", groupBox(w, "scales", spec, cut, place, group));
  return binary(w, "scaled", "arith.mulf", real, perRow(w, "scales.wide", scales, real));
}

/** The scaled sums of all groups together. */
function groupedSums(w: Writer, spec: GemmSpec, cut: Cut, place: Place): Tensor {
  const none = filled(w, "nothing", 0, [cut.m, cut.width], "f32");
  const [total] = carrying(w, "group", [0, sumsOf(spec), 1], [none], (group, [sum]) => [
    binary(w, "total.now", "arith.addf", like(sum, none), scaledSums(w, spec, cut, place, group)),
  ]);
  return like(total, none);
}

/** Times the scale of each row, plus the bias of each column. */
function finished(w: Writer, spec: GemmSpec, { m, width }: Cut, place: Place, sums: Tensor): Tensor {
  let result = sums;
  if (spec.w.kind === "integer") {
    const box: Box = { array: { name: "aScales", element: "f32" }, offset: place.row, strides: [1], sizes: [m], valid: [place.rows] }; // prettier-ignore
    result = binary(w, "dequantized", "arith.mulf", result, alongRows(w, "aScales.wide", load(w, "aScales", box), result)); // prettier-ignore
  }
  if (spec.bias) {
    const box: Box = { array: { name: "bias", element: "f32" }, offset: place.column, strides: [1], sizes: [width], valid: [place.columns] }; // prettier-ignore
    result = binary(w, "biased", "arith.addf", result, perRow(w, "bias.wide", load(w, "bias", box), result));
  }
  return result;
}
