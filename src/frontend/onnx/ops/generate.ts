import type { Value } from "../../../ir/graph.ts";
import type { Dim } from "../../../ir/dim.ts";
import { sizeOf } from "../../../ir/types.ts";
import { foldLimit } from "../fold.ts";
import {
  axisOf,
  intOf,
  needKnown,
  rankOf,
  unsupported,
  type LoweringContext,
  type LoweringTable,
} from "../lowering.ts";
import { elementsOf } from "../tensor.ts";

const constant = (
  cx: LoweringContext,
  like: Value,
  dims: readonly number[],
  values: readonly number[],
): Value => cx.op("constant", [], { dtype: like.type.dtype, dims, values });

/** Both index grids of the last two axes, column minus row not above, or not below, the diagonal `k`. */
function trilu(cx: LoweringContext): Value {
  const x = cx.input(0);
  const k = cx.optional(1) ? (needKnown(cx, 1, "diagonal")[0] ?? 0) : 0;
  const dims: readonly Dim[] = x.type.dims.slice(-2);
  const [row, column] = [cx.op("iota", [], { dims, axis: 0 }), cx.op("iota", [], { dims, axis: 1 })];
  const distance = cx.op("sub", [column, row], {});
  const how = intOf(cx, "upper", 1) === 1 ? "greaterOrEqual" : "lessOrEqual";
  const kept = cx.op("compare", [distance, constant(cx, distance, [], [k])], { how });
  return cx.op("select", [kept, x, constant(cx, x, [], [0])], {});
}

/** Elements of a known vector by known indices: how exporters take sizes out of shapes. */
function gatherKnown(cx: LoweringContext): Value {
  const [data, indices] = [cx.input(0), cx.input(1)];
  if (rankOf(data) !== 1 || axisOf(intOf(cx, "axis", 0), 1) !== 0)
    return unsupported("it gathers more than a vector");
  const [values, at] = [needKnown(cx, 0, "data"), needKnown(cx, 1, "list of indices")];
  const picked = at.map((i) => values[axisOf(i, values.length)] ?? unsupported("an index is out of range"));
  return constant(cx, data, indices.type.dims.map(Number), picked);
}

export const generate: LoweringTable = {
  ConstantOfShape: (cx) => {
    const dims = needKnown(cx, 0, "shape");
    const given = cx.node.attributes.get("value");
    const tensor = given?.kind === "tensor" ? given.tensor : undefined;
    const dtype = tensor?.dtype ?? "f32";
    if (dtype === "string") return unsupported("it makes texts");
    const value = cx.op("constant", [], { dtype, dims: [], values: tensor ? elementsOf(tensor) : [0] });
    const size = sizeOf(dims);
    const filled =
      size > 0 && size <= foldLimit
        ? constant(cx, value, dims, Array<number>(size).fill(cx.known(value)?.[0] ?? 0))
        : undefined;
    return [filled ?? cx.op("broadcast", [value], { dims })];
  },
  Range: (cx) => {
    const [start = 0, limit = 0, delta = 1] = [0, 1, 2].map((i) => needKnown(cx, i, "range")[0] ?? 0);
    const size = Math.max(0, Math.ceil((limit - start) / delta));
    if (size > 65536) return unsupported(`it makes ${size} numbers`);
    return [
      constant(
        cx,
        cx.input(0),
        [size],
        Array.from({ length: size }, (_, i) => start + i * delta),
      ),
    ];
  },
  Gather: (cx) => [gatherKnown(cx)],
  Trilu: (cx) => [trilu(cx)],
  Mod: (cx) => {
    const [a, b] = [cx.input(0), cx.input(1)];
    if (intOf(cx, "fmod", 0) === 0) return [cx.op("mod", [a, b], {})];
    const whole = cx.op("div", [a, b], {});
    const zero = constant(cx, whole, [], [0]);
    const positive = cx.op("compare", [whole, zero], { how: "greaterOrEqual" });
    const quotient = cx.op("select", [positive, cx.op("floor", [whole], {}), cx.op("ceil", [whole], {})], {});
    return [cx.op("sub", [a, cx.op("mul", [quotient, b], {})], {})];
  },
};
