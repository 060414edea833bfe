/** Tensors of a kernel, and arithmetic on them. */
import { indexValue, type Carried, type Index, type Writer } from "./writer.ts";

export type Element = "f32" | "bf16" | "f16" | "i1" | "i4" | "i8" | "i16" | "i32" | "i64";

export type Tensor = Carried & { readonly sizes: readonly number[]; readonly element: Element };

export const tensorType = (sizes: readonly Index[], element: Element): string =>
  `tensor<${[...sizes.map((it) => (typeof it === "number" ? String(it) : "?")), element].join("x")}>`;

const isFloat = (element: Element): boolean => element.endsWith("f16") || element === "f32";

export const tensorOf = (name: `%${string}`, sizes: readonly number[], element: Element): Tensor => ({
  name,
  sizes,
  element,
  type: tensorType(sizes, element),
});

/** A carried value that is known to be a tensor like another. */
export const like = (it: Carried | undefined, of: Tensor): Tensor => {
  if (!it) throw new Error("a loop gives what it was given");
  return { ...of, name: it.name };
};

/** A number as MLIR writes it. */
export const numeral = (value: number, element: Element): string => {
  if (!isFloat(element)) return String(value);
  if (value === Infinity) return "0x7F800000";
  if (value === -Infinity) return "0xFF800000";
  const text = String(value);
  return /[.e]/.test(text) ? text.replace(/^(-?\d+)e/, "$1.0e") : `${text}.0`;
};

export const empty = (w: Writer, hint: string, sizes: readonly number[], element: Element): Tensor =>
  tensorOf(w.value(`${hint}.empty`, `tensor.empty() : ${tensorType(sizes, element)}`), sizes, element);

/** A tensor of one number. */
export function filled(
  w: Writer,
  hint: string,
  value: number,
  sizes: readonly number[],
  element: Element,
): Tensor {
  const number = w.value(`${hint}.number`, `arith.constant ${numeral(value, element)} : ${element}`);
  const room = empty(w, hint, sizes, element);
  return tensorOf(
    w.value(
      hint,
      `linalg.fill ins(${number} : ${element}) outs(${room.name} : ${room.type}) -> ${room.type}`,
    ),
    sizes,
    element,
  );
}

/** Element by element, `op` of MLIR such as `arith.addf`. */
export const binary = (w: Writer, hint: string, op: string, a: Tensor, b: Tensor): Tensor => ({
  ...a,
  name: w.value(hint, `${op} ${a.name}, ${b.name} : ${a.type}`),
});

export const unary = (w: Writer, hint: string, op: string, a: Tensor): Tensor => ({
  ...a,
  name: w.value(hint, `${op} ${a.name} : ${a.type}`),
});

/** With one number on the right. */
export const withNumber = (w: Writer, hint: string, op: string, a: Tensor, value: number): Tensor =>
  binary(w, hint, op, a, filled(w, `${hint}.by`, value, a.sizes, a.element));

export function compared(w: Writer, hint: string, how: string, a: Tensor, b: Tensor): Tensor {
  const name = w.value(
    hint,
    `arith.${isFloat(a.element) ? "cmpf" : "cmpi"} ${how}, ${a.name}, ${b.name} : ${a.type}`,
  );
  return tensorOf(name, a.sizes, "i1");
}

export const selected = (w: Writer, hint: string, which: Tensor, a: Tensor, b: Tensor): Tensor => ({
  ...a,
  name: w.value(hint, `arith.select ${which.name}, ${a.name}, ${b.name} : ${which.type}, ${a.type}`),
});

const bits = (it: Element): number => (it === "bf16" ? 16 : Number(it.slice(1)));

/** The same numbers in another element type; to whole numbers only what is whole already. */
export function converted(w: Writer, hint: string, a: Tensor, element: Element): Tensor {
  if (a.element === element) return a;
  const [from, to] = [isFloat(a.element), isFloat(element)];
  const narrower = bits(element) < bits(a.element);
  const op = from ? (to ? (narrower ? "truncf" : "extf") : "fptosi") : to ? "sitofp" : narrower ? "trunci" : "extsi"; // prettier-ignore
  const result = tensorOf("%", a.sizes, element);
  return { ...result, name: w.value(hint, `arith.${op} ${a.name} : ${a.type} to ${result.type}`) };
}

const without = (sizes: readonly number[], axes: readonly number[]): readonly number[] =>
  sizes.filter((_, i) => !axes.includes(i));

/** Repeated along `axes` of the larger shape. */
export function broadcast(
  w: Writer,
  hint: string,
  a: Tensor,
  sizes: readonly number[],
  axes: readonly number[],
): Tensor {
  const room = empty(w, hint, sizes, a.element);
  return {
    ...room,
    name: w.value(
      hint,
      `linalg.broadcast ins(${a.name} : ${a.type}) outs(${room.name} : ${room.type}) dimensions = [${axes.join(", ")}]`,
    ),
  };
}

/** A row's number for each of its elements. */
export const alongRows = (w: Writer, hint: string, a: Tensor, of: Tensor): Tensor =>
  broadcast(w, hint, a, of.sizes, [of.sizes.length - 1]);

/** A row for each of the rows. */
export const perRow = (w: Writer, hint: string, a: Tensor, of: Tensor): Tensor =>
  broadcast(w, hint, a, of.sizes, of.sizes.slice(0, -1).map((_, i) => i)); // prettier-ignore

/** `op` such as `arith.addf` over the last axis, from `first`. */
export function reduced(w: Writer, hint: string, op: string, a: Tensor, first: number): Tensor {
  const axis = a.sizes.length - 1;
  const start = filled(w, `${hint}.start`, first, without(a.sizes, [axis]), a.element);
  const name = w.fresh(hint);
  const [x, y, z] = ["x", "y", "z"].map((it) => w.fresh(it));
  w.block(
    `${name} = linalg.reduce ins(${a.name} : ${a.type}) outs(${start.name} : ${start.type}) dimensions = [${axis}] (${x}: ${a.element}, ${y}: ${a.element}) {`,
    () => {
      w.line(`${z} = ${op} ${x}, ${y} : ${a.element}`);
      w.line(`linalg.yield ${z} : ${a.element}`);
    },
    "}",
  );
  return { ...start, name };
}

/** The matrix turned. */
export function transposed(w: Writer, hint: string, a: Tensor): Tensor {
  const room = empty(w, hint, a.sizes.toReversed(), a.element);
  return {
    ...room,
    name: w.value(
      hint,
      `linalg.transpose ins(${a.name} : ${a.type}) outs(${room.name} : ${room.type}) permutation = [1, 0]`,
    ),
  };
}

/** a b onto `sum`. */
export const multiplied = (w: Writer, hint: string, a: Tensor, b: Tensor, sum: Tensor): Tensor => ({
  ...sum,
  name: w.value(
    hint,
    `linalg.matmul ins(${a.name}, ${b.name} : ${a.type}, ${b.type}) outs(${sum.name} : ${sum.type}) -> ${sum.type}`,
  ),
});

/** Bytes nearest to a float's numbers, of two the even one; by way of the conversions that vector units have. */
export function nearestBytes(w: Writer, hint: string, a: Tensor): Tensor {
  const cast = (of: Tensor, element: Element): Tensor => {
    const room = empty(w, hint, of.sizes, element);
    return {
      ...room,
      name: w.value(
        `${hint}.${element}`,
        `hfusion.cast {round_mode = #hfusion.round_mode<rint>} ins(${of.name} : ${of.type}) outs(${room.name} : ${room.type}) -> ${room.type}`,
      ),
    };
  };
  return cast(cast(cast(a, "i32"), "f16"), "i8");
}

/** With other sizes; `groups` are the axes of the one with more that make one of the other. */
export function reshaped(
  w: Writer,
  hint: string,
  a: Tensor,
  sizes: readonly number[],
  groups: string,
): Tensor {
  const result = tensorOf("%", sizes, a.element);
  const splits = sizes.length > a.sizes.length;
  const to = splits ? ` output_shape [${sizes.join(", ")}]` : "";
  return {
    ...result,
    name: w.value(
      hint,
      `tensor.${splits ? "expand" : "collapse"}_shape ${a.name} ${groups}${to} : ${a.type} into ${result.type}`,
    ),
  };
}

/** 0, 1, 2, ... as float32. */
export function lane(w: Writer, hint: string, length: number): Tensor {
  const room = empty(w, hint, [length], "i32");
  const [from, step] = [indexValue(w, 0), indexValue(w, 1)];
  const line = {
    ...room,
    name: w.value(
      hint,
      `hfusion.arange offset[${from}] strides[${step}] outs(${room.name} : ${room.type}) -> ${room.type}`,
    ),
  };
  return converted(w, `${hint}.real`, line, "f32");
}

/** A tensor of an index, as float32. */
export function filledWith(w: Writer, hint: string, value: Index, sizes: readonly number[]): Tensor {
  const whole = w.value(`${hint}.whole`, `arith.index_cast ${indexValue(w, value)} : index to i32`);
  const number = w.value(`${hint}.number`, `arith.sitofp ${whole} : i32 to f32`);
  const room = empty(w, hint, sizes, "f32");
  return {
    ...room,
    name: w.value(hint, `linalg.fill ins(${number} : f32) outs(${room.name} : ${room.type}) -> ${room.type}`),
  };
}

/** Down to whole numbers. */
const floored = (w: Writer, hint: string, a: Tensor): Tensor => unary(w, hint, "math.floor", a);

/** The numbers of 4 bits that bytes hold, as float16: those of the low halves, and of the high. */
export function unpacked(w: Writer, bytes: Tensor): readonly [low: Tensor, high: Tensor] {
  const b = converted(w, "bytes", bytes, "f16");
  const sixteenth = (hint: string, of: Tensor): Tensor => floored(w, hint, withNumber(w, `${hint}.part`, "arith.mulf", of, 1 / 16)); // prettier-ignore
  const high = sixteenth("high", b);
  const above = sixteenth("above", withNumber(w, "shifted", "arith.addf", b, 8));
  return [binary(w, "low", "arith.subf", b, withNumber(w, "above.bytes", "arith.mulf", above, 16)), high];
}

/** Elements 0, 2, 4, ... of rows, or with `channel` 1 those between them. */
export function everySecond(w: Writer, hint: string, a: Tensor, channel: 0 | 1): Tensor {
  const sizes = [...a.sizes.slice(0, -1), (a.sizes.at(-1) ?? 2) / 2];
  const half = tensorOf("%", sizes, a.element);
  return {
    ...half,
    name: w.value(hint, `hfusion.deinterleave ${a.name} channel<${channel}> : ${a.type} -> ${half.type}`),
  };
}
