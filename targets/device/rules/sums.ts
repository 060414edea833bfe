/** Sums of codes that leave the matrix unit as they are: those who read them scale them, and nothing is handed over in between. */
import { isOp, type Node, type Value } from "../../../src/ir/graph.ts";
import type { OpName } from "../../../src/ir/ops/index.ts";
import type { Kernel } from "../../../src/machine/schedule/kernel.ts";
import type { Extent } from "../../../src/plan/program/program.ts";
import type { DeviceContext, DeviceView } from "../context.ts";
import type { GemmSpec } from "../kernels/matrix/spec.ts";
import { unscaled } from "../kernels/matrix/unscaled.ts";
import { add, swiglu } from "../kernels/vector/elementwise.ts";
import { rmsNorm } from "../kernels/vector/norm.ts";
import type { View } from "../kernels/vector/tile.ts";
import { leastWork, waitsForOperands } from "../search/bounds.ts";
import { normThatAdds } from "./adds.ts";

/** Operators whose kernels scale the sums that they load. */
const scaling: ReadonlySet<OpName> = new Set(["rmsNorm", "addRmsNorm", "add", "mul", "swiglu", "swigluPacked"] as const); // prettier-ignore

/** A node that reads a value or columns of it: which, and how many of them. */
type Reading = { readonly node: Node; readonly value: Value | undefined; readonly width: number };

function readingsOf(cx: DeviceContext, value: Value | undefined): readonly Reading[] {
  const width = Number(value?.type.dims.at(-1));
  return cx.consumers(value).flatMap((node): readonly Reading[] => {
    const isOfColumns = isOp(node, "slice") && node.attrs.axis === 1;
    return isOfColumns ? readingsOf(cx, node.results[0]) : [{ node, value, width }];
  });
}

/** A kernel that reads rows like `x` as a node does, and makes of them what that makes. */
function kernelAt(cx: DeviceContext, { node, value, width }: Reading, x: View): Kernel {
  const norm = isOp(node, "add") ? normThatAdds(cx, node) : undefined;
  const [first, second] = (norm ?? node).results;
  const read = { ...x, width };
  const rotation = cx.roundedAs(second ?? first)?.rotation;
  const made = (wide: number) => rotation === undefined ? { out: floats(wide) } : { rounded: { rotation } }; // prettier-ignore
  const sum = { sum: floats(width), gain: "f32", eps: 0, ...made(width) } as const;
  if (norm) {
    const [residual, more] = node.operands[0] === value ? [read, floats(width)] : [floats(width), read];
    return cx.kernel(rmsNorm, { x: floats(width), residual, more, ...sum });
  }
  switch (node.op) {
    case "swigluPacked":
      return cx.kernel(swiglu, { a: { ...read, width: width / 2 }, b: { ...read, width: width / 2 }, ...made(width / 2) }); // prettier-ignore
    case "rmsNorm":
      return cx.kernel(rmsNorm, { x: read, gain: "f32", eps: 0, ...made(width) });
    case "addRmsNorm":
      return cx.kernel(rmsNorm, { x: read, residual: floats(width), ...sum });
    default:
      return cx.kernel(add, { a: read, b: floats(width), ...made(width) });
  }
}

const floats = (width: number): View => ({ dtype: "f32", width });

/**
 * The product whose sums are left to those who read the result, where that is best: all of these scale what they load, the product waits for its operands, and
 * takes so much less time that they may take more.
 */
export function leftToReaders(
  cx: DeviceContext,
  value: Value | undefined,
  spec: GemmSpec,
  rows: Extent,
): GemmSpec | undefined {
  const straight = unscaled(cx.profile, spec);
  const readings = readingsOf(cx, value);
  const most = cx.most(rows);
  if (!straight || !readings.every((it) => scaling.has(it.node.op)) || cx.readers(value).has("result"))
    return undefined;
  if (!waitsForOperands(leastWork(cx.profile, spec, most))) return undefined;
  const longer = (it: Reading): number =>
    cx.cycles(kernelAt(cx, it, { ...straight.out, isSums: true }), most) - cx.cycles(kernelAt(cx, it, spec.out), most); // prettier-ignore
  const saved = cx.tile(spec, most).cycles - cx.tile(straight, most).cycles;
  return readings.reduce((n, it) => n + longer(it), 0) < saved ? straight : undefined;
}

/** An operand that is read, by its name, and the scales of sums beside it. */
export function reading(name: string, view: DeviceView): Readonly<Record<string, DeviceView>> {
  if (!view.sums) return { [name]: view };
  const { columns, rows } = view.sums;
  // Columns of the result are columns of the scales.
  return { [name]: view, [`${name}Scales`]: { ...columns, offset: columns.offset + view.offset }, [`${name}RowScales`]: rows }; // prettier-ignore
}
