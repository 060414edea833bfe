import type { RopeSpec } from "../../../device/kernels/vector/rope.ts";
import { pitch, type View } from "../../../device/kernels/vector/tile.ts";
import { load, readIndex, store, type Box } from "../boxes.ts";
import { elementOf } from "../elements.ts";
import type { Scope } from "../kernel.ts";
import { binary, converted, empty, everySecond, perRow, tensorOf, type Tensor } from "../tensors.ts";
import { offsetOf, type Index, type Writer } from "../writer.ts";
import { boxOf, evenPart, overHeads, overRows, type Block } from "./rows.ts";

/** Numbers that are turned at a time. */
const most = 2048;

/** Every element's partner in its place. */
function partners(w: Writer, x: Tensor, pairs: RopeSpec["pairs"]): Tensor {
  const width = x.sizes.at(-1) ?? 2;
  if (pairs === "interleaved") {
    const [even, odd] = [everySecond(w, "even", x, 0), everySecond(w, "odd", x, 1)];
    return {
      ...x,
      name: w.value(
        "partner",
        `hfusion.interleave ${odd.name}, ${even.name} : ${odd.type}, ${even.type} -> ${x.type}`,
      ),
    };
  }
  const leading = x.sizes.slice(0, -1);
  const zeros = leading.map(() => 0);
  const [steps, sizes] = [x.sizes.map(() => 1), [...leading, width / 2]];
  const half = tensorOf("%", sizes, x.element);
  const list = (items: readonly number[]): string => `[${items.join(", ")}]`;
  const part = (hint: string, at: number): string =>
    w.value(
      hint,
      `tensor.extract_slice ${x.name}${list([...zeros, at])} ${list(sizes)} ${list(steps)} : ${x.type} to ${half.type}`,
    );
  const put = (hint: string, from: string, into: string, at: number): `%${string}` =>
    w.value(
      hint,
      `tensor.insert_slice ${from} into ${into}${list([...zeros, at])} ${list(sizes)} ${list(steps)} : ${half.type} into ${x.type}`,
    );
  const [first, second] = [part("first", 0), part("second", width / 2)];
  const begun = put("begun", second, empty(w, "partner", x.sizes, x.element).name, 0);
  return { ...x, name: put("partner", first, begun, width / 2) };
}

/** Rotary position embedding: each element by its cosine, and its partner by its sine, from the row of the table that the token's position names. */
export function rope(scope: Scope, { x, out, pairs }: RopeSpec): void {
  const { w, size } = scope;
  const { width: dim, heads = 1 } = x;
  const columns = 2 * pitch("f32", dim);
  const ofTable = (position: Index, from: number): Box => ({
    array: { name: "table", element: "f32" },
    offset: offsetOf(w, "turn", [position, columns], [from, 1]),
    strides: [1],
    sizes: [dim],
    valid: [dim],
  });
  overRows(scope, size("S"), 1, dim, (block) => {
    const position = readIndex(w, "position", { name: "positions", element: "i32" }, block.row);
    const [cos, sin] = [load(w, "cos", ofTable(position, 0)), load(w, "sin", ofTable(position, columns / 2))];
    overHeads(w, block, heads, evenPart(heads, Math.max(1, Math.floor(most / dim))), (here) => {
      const given = load(w, "x", tokenBox(w, "x", x, here));
      const h = converted(w, "x.real", given, "f32");
      const wide = (hint: string, row: Tensor): Tensor => (heads > 1 ? perRow(w, hint, row, h) : row);
      const own = binary(w, "own", "arith.mulf", h, wide("cos.wide", cos));
      const partner = converted(w, "partner.real", partners(w, given, pairs), "f32");
      const other = binary(w, "other", "arith.mulf", partner, wide("sin.wide", sin));
      const turned = binary(w, "turned", "arith.addf", own, other);
      store(w, "out", tokenBox(w, "out", out, here), converted(w, "y", turned, elementOf(out.dtype)));
    });
  });
}

/** One token: its heads, or a row without a second axis. */
function tokenBox(w: Writer, name: string, view: View, block: Block): Box {
  const box = boxOf(w, name, view, block);
  const last = <T>(axes: readonly T[]): readonly T[] => axes.slice(-1);
  if ((view.heads ?? 1) > 1) return box;
  return { ...box, strides: last(box.strides), sizes: last(box.sizes), valid: last(box.valid) };
}
