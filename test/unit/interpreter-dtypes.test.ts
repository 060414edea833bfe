/** Results are stored in their dtype: rounded to the nearest float, wrapped to the integer's width. */
import { describe, expect, test } from "vitest";
import { interpret } from "../../src/interp/interpret.ts";
import { allocate } from "../../src/interp/numbers.ts";
import type { Tensor } from "../../src/interp/tensor.ts";
import { parseModule } from "../../src/ir/parser.ts";
import type { DType } from "../../src/tensor/dtype.ts";

/** A vector of a dtype. */
function vector(dtype: DType, values: readonly number[]): Tensor {
  const data = allocate(dtype, values.length);
  data.set(values);
  return { dtype, shape: [values.length], data };
}

/** One operator on two vectors. */
function apply(
  op: string,
  dtype: DType,
  a: readonly number[],
  b: readonly number[],
  out: DType = dtype,
): number[] {
  const [n, attrs] = [a.length, op === "compare" ? " {how=less}" : ""];
  const text = `func @main(%a: ${dtype}[${n}], %b: ${dtype}[${n}]) {\n  %0 = ${op}(%a, %b)${attrs} : ${out}[${n}]\n  return r=%0\n}\n`;
  const [func] = parseModule(text, "test.mir").funcs;
  if (!func) throw new Error("no function");
  const given = new Map([
    ["a", vector(dtype, a)],
    ["b", vector(dtype, b)],
  ]);
  return [...(interpret(func, given, () => expect.fail("no weights")).get("r")?.data ?? [])];
}

function cast(from: DType, to: DType, values: readonly number[]): number[] {
  const n = values.length;
  const text = `func @main(%a: ${from}[${n}]) {\n  %0 = cast(%a) {dtype=${to}} : ${to}[${n}]\n  return r=%0\n}\n`;
  const [func] = parseModule(text, "test.mir").funcs;
  if (!func) throw new Error("no function");
  return [
    ...(interpret(func, new Map([["a", vector(from, values)]]), () => expect.fail("no weights")).get("r")
      ?.data ?? []),
  ];
}

describe("integers", () => {
  test.each<[DType, number, number]>([
    ["i8", 127, -128],
    ["u8", 255, 0],
    ["i16", 32767, -32768],
    ["u16", 65535, 0],
    ["i32", 2147483647, -2147483648],
    ["u32", 4294967295, 0],
    ["i4", 7, -8],
    ["u2", 3, 0],
  ])("%s wraps behind %i", (dtype, most, next) => {
    expect(apply("add", dtype, [most, 1], [1, 1])).toEqual([next, 2]);
  });
  test("of 64 bits keep what float32 would lose", () => {
    expect(apply("add", "i64", [2 ** 40], [1])).toEqual([2 ** 40 + 1]);
  });
  test("divide towards zero", () => {
    expect(apply("div", "i32", [7, -7, 7], [2, 2, -2])).toEqual([3, -3, -3]);
    expect(apply("div", "f32", [7], [2])).toEqual([3.5]);
  });
});

describe("floats", () => {
  test("are rounded to the nearest of their dtype", () => {
    expect(apply("add", "f16", [1], [2 ** -12])).toEqual([1]);
    expect(apply("add", "bf16", [1], [2 ** -7])).toEqual([1 + 2 ** -7]);
    expect(apply("add", "bf16", [1], [2 ** -9])).toEqual([1]);
    expect(apply("add", "f64", [1], [2 ** -40])).toEqual([1 + 2 ** -40]);
    expect(apply("add", "f32", [1], [2 ** -40])).toEqual([1]);
  });
  test("compare to booleans", () => {
    expect(apply("compare", "f32", [1, 2], [2, 1], "bool")).toEqual([1, 0]);
  });
});

describe("casts", () => {
  test("drop the fraction towards zero, wrap, and make truth of anything but zero", () => {
    expect(cast("f32", "i32", [1.9, -1.9])).toEqual([1, -1]);
    expect(cast("i32", "u8", [257, -1])).toEqual([1, 255]);
    expect(cast("f32", "bool", [0, 0.5, -2])).toEqual([0, 1, 1]);
    expect(cast("f32", "f16", [65519, 65520])).toEqual([65504, Infinity]);
  });
});
