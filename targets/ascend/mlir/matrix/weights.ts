import {
  depthOf,
  groupsOf,
  matricesOf,
  widthOf,
  type GemmSpec,
} from "../../../device/kernels/matrix/spec.ts";
import { load, type Box } from "../boxes.ts";
import { elementOf } from "../elements.ts";
import {
  alongRows,
  binary,
  converted,
  empty,
  transposed,
  unpacked,
  type Element,
  type Tensor,
} from "../tensors.ts";
import { offsetOf, over, type Index, type Writer } from "../writer.ts";
import type { Cut } from "./cut.ts";
import type { Place } from "./places.ts";

/** Numbers of `scales` or `zeros`, f32 [.., groups, n], for the columns of a place. */
export function groupBox(
  w: Writer,
  name: string,
  spec: GemmSpec,
  { width }: Cut,
  place: Place,
  group: Index,
): Box {
  const n = widthOf(spec);
  return {
    array: { name, element: "f32" },
    offset: offsetOf(w, `${name}.offset`, [place.matrix, groupsOf(spec) * n], [group, n], [place.column, 1]),
    strides: [1],
    sizes: [width],
    valid: [place.columns],
  };
}

/**
 * A piece of the matrix [n, k], turned: `depth` rows from `at`, as they are multiplied. Codes become what they stand for on the vector cores; of two in
 * a byte, each becomes a row of its own.
 */
export function weights(
  w: Writer,
  spec: GemmSpec,
  cut: Cut,
  place: Place,
  at: Index,
  depth: Index,
  into: Element,
): Tensor {
  const bytes = stored(w, spec, cut, place, at, depth);
  const made = (codes: Tensor): Tensor => transposed(w, "w.turned", converted(w, "w.in", restored(w, spec, cut, place, at, codes), into)); // prettier-ignore
  if (spec.w.dtype !== "i4") return made(bytes);
  const rows = (hint: string, from: Tensor, onto: Tensor, first: number): Tensor => ({
    ...onto,
    name: w.value(
      hint,
      `tensor.insert_slice ${from.name} into ${onto.name}[${first}, 0] [${from.sizes.join(", ")}] [2, 1] : ${from.type} into ${onto.type}`,
    ),
  });
  const [low, high] = unpacked(w, bytes).map(made) as [Tensor, Tensor]; // as many as there were
  return rows("w.all", high, rows("w.low", low, empty(w, "w.all", [cut.depth, cut.width], into), 0), 1);
}

/** Codes times their scales, less their zero points. */
function restored(w: Writer, spec: GemmSpec, cut: Cut, place: Place, at: Index, codes: Tensor): Tensor {
  if (spec.w.kind !== "coded") return codes;
  const { group, zeros } = spec.w;
  const own = over(w, "group", at, group);
  const real = converted(w, "real", codes, "f32");
  const along = (name: string): Tensor => alongRows(w, `${name}.wide`, load(w, name, groupBox(w, name, spec, cut, place, own)), real); // prettier-ignore
  const shifted = zeros ? binary(w, "shifted", "arith.subf", real, along("zeros")) : real;
  return binary(w, "restored", "arith.mulf", shifted, along("scales"));
}

/** The piece as it is stored; numbers of 4 bits, two in a byte. */
function stored(w: Writer, spec: GemmSpec, cut: Cut, place: Place, at: Index, depth: Index): Tensor {
  const [n, k] = [widthOf(spec), depthOf(spec)];
  const isPacked = spec.w.dtype === "i4";
  const inBytes = (it: Index): Index => (isPacked ? over(w, "bytes", it, 2) : it);
  const row = isPacked ? k / 2 : k;
  const whole = matricesOf(spec) > 1 ? n * row : 0;
  return load(w, "w", {
    array: { name: "w", element: isPacked ? "i8" : elementOf(spec.w.dtype) },
    offset: offsetOf(w, "w.offset", [place.matrix, whole], [place.column, row], [inBytes(at), 1]),
    strides: [row, 1],
    sizes: [cut.width, isPacked ? cut.depth / 2 : cut.depth],
    valid: [place.columns, inBytes(depth)],
  });
}
