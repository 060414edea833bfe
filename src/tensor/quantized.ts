import { concat, reshape, slice, stack, type Recipe } from "./recipe.ts";

/** A weight of quantized matrices as what kernels read: codes [.., rows, cols] and, a row, one scale (and zero point) for each group. */
export type QuantizedRecipe = {
  readonly codes: Recipe;
  readonly scales: Recipe;
  readonly zeros?: Recipe;
  /** Columns that a scale covers. */
  readonly group: number;
  /** Columns that are rotated together behind the scales; 1 where none are. */
  readonly rotation: number;
  /** How many bits the codes need. */
  readonly bits: 4 | 8;
};

/** The parts of a weight whose values are codes behind scales, stacked or joined by rows; undefined for any other. */
export function quantizedParts(r: Recipe): QuantizedRecipe | undefined {
  switch (r.kind) {
    case "dequantize":
      return (r.of.dtype === "i8" || r.of.dtype === "f4e2m1") && r.block[0] === 1
        ? {
            codes: r.of,
            scales: r.scale,
            ...(r.zero && { zeros: r.zero }),
            group: r.block[1],
            bits: r.of.dtype === "f4e2m1" ? 4 : (r.bits ?? 8),
            rotation: 1,
          }
        : undefined;
    case "rotate": {
      const parts = quantizedParts(r.of);
      return parts?.rotation === 1 ? { ...parts, rotation: r.block } : undefined;
    }
    case "stack":
    case "concat":
      return r.shape.length < 2
        ? undefined
        : joined(r.parts.map(quantizedParts), r.kind === "stack" ? stack : concat);
    case "reshape":
      return r.shape.at(-1) === r.of.shape.at(-1)
        ? onRows(quantizedParts(r.of), r.shape.slice(0, -1))
        : undefined;
    case "slice":
      return r.axis < r.shape.length - 1
        ? mapParts(quantizedParts(r.of), (of) => slice(of, r.axis, r.begin, r.end))
        : columnsOf(quantizedParts(r.of), r.begin, r.end);
    default:
      return undefined;
  }
}

/** Columns begin..end of a quantized weight, where no group of them is torn. */
function columnsOf(it: QuantizedRecipe | undefined, begin: number, end: number): QuantizedRecipe | undefined {
  if (!it) return undefined;
  const { codes, scales, zeros, group, rotation } = it;
  const axis = codes.shape.length - 1;
  const cols = codes.shape[axis] ?? 1;
  const fits = (unit: number) => begin % unit === 0 && (end % unit === 0 || end === cols);
  if (!fits(rotation) || (group < cols && !fits(group))) return undefined;
  // One group is the whole row: its scale serves every part of it.
  const ofGroups = (of: Recipe): Recipe =>
    group < cols ? slice(of, axis, begin / group, Math.ceil(end / group)) : of;
  return {
    ...it,
    codes: slice(codes, axis, begin, end),
    scales: ofGroups(scales),
    ...(zeros && { zeros: ofGroups(zeros) }),
  };
}

function mapParts(it: QuantizedRecipe | undefined, f: (r: Recipe) => Recipe): QuantizedRecipe | undefined {
  return it && { ...it, codes: f(it.codes), scales: f(it.scales), ...(it.zeros && { zeros: f(it.zeros) }) };
}

const onRows = (it: QuantizedRecipe | undefined, rows: readonly number[]): QuantizedRecipe | undefined =>
  mapParts(it, (of) => reshape(of, [...rows, of.shape.at(-1) ?? 1]));

/** Parts that all have one group width and scale dtype, and zero points all or none. */
function joined(
  parts: readonly (QuantizedRecipe | undefined)[],
  join: (parts: readonly Recipe[]) => Recipe,
): QuantizedRecipe | undefined {
  const all = parts.filter((it) => it !== undefined);
  const [first] = all;
  const alike = all.every(
    (it) =>
      it.group === first?.group &&
      it.bits === first.bits &&
      it.codes.dtype === first.codes.dtype &&
      it.rotation === first.rotation &&
      it.scales.dtype === first.scales.dtype &&
      (it.zeros === undefined) === (first.zeros === undefined),
  );
  if (!first || all.length < parts.length || !alike) return undefined;
  const zeros = all.flatMap((it) => it.zeros ?? []);
  return {
    group: first.group,
    bits: first.bits,
    rotation: first.rotation,
    codes: join(all.map((it) => it.codes)),
    scales: join(all.map((it) => it.scales)),
    ...(zeros.length > 0 && { zeros: join(zeros) }),
  };
}
