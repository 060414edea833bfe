/** Rounding in WebAssembly gives the bytes that the plain definition gives. */
import { describe, expect, test } from "vitest";
import { quantizer } from "../../../src/quant/quantizer.ts";
import { roundingCode } from "../../../src/quant/rounding/rounding-code.ts";
import { createRowRounder } from "../../../src/quant/rounding/row-rounder.ts";
import { encodeBf16, decodeToF32 } from "../../../src/tensor/codec.ts";
import { formats, roundings, type FormatName, type Rounding } from "../../../src/tensor/format.ts";
import { quantize, source } from "../../../src/tensor/recipe.ts";
import { bytesOfPart } from "../../../src/tensor/stored-parts.ts";
import { assemble } from "../../../src/wasm/assemble.ts";
import { randomSource } from "../../support/random.ts";

const round = createRowRounder(await roundingCode(assemble));
const names = ["int8", "int4", "int4-g32", "int4-g64", "int4-g128"] as const satisfies readonly FormatName[];

/** Both parts of a matrix by the kernels, or undefined where they leave it to others. */
function byKernel(
  values: Float32Array,
  cols: number,
  name: FormatName,
  rounding: Rounding,
  dtype: "bf16" | "f32",
) {
  const rows = values.length / cols;
  const of = source("w", dtype, [rows, cols]);
  const stored = dtype === "bf16" ? encodeBf16(values) : values;
  const fill = (room: Uint8Array) =>
    room.set(new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength));
  const parts = (["codes", "scales"] as const).map((part) => {
    const { shape, dtype: type } = quantize(of, name, rounding, part);
    const bytes =
      (shape[0] ?? 0) * (shape[1] ?? 0) * { i8: 1, bf16: 2, f32: 4 }[type as "i8" | "bf16" | "f32"];
    const out = new Uint8Array(bytes);
    const did = round({ of, rows, cols, format: formats[name], rounding, part, fill, out });
    return did ? out : undefined;
  });
  return parts;
}

/** The same by the definition, of the numbers as they are stored. */
function byDefinition(
  values: Float32Array,
  cols: number,
  name: FormatName,
  rounding: Rounding,
  dtype: "bf16" | "f32",
) {
  const w = new Float32Array(values.length);
  const stored = dtype === "bf16" ? encodeBf16(values) : values;
  decodeToF32(dtype, new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength), w);
  const found = quantizer(w, values.length / cols, cols, formats[name], rounding);
  return (["codes", "scales"] as const).map((part) =>
    Uint8Array.from(bytesOfPart(found, part, formats[name])),
  );
}

const next = randomSource("row rounder");
const normal = (): number => (next() + next() + next() - 1.5) * 0.04;

/** Rows of what is hard: ties, zeros of both signs, the smallest and the largest numbers, rows of one magnitude. */
const hard: readonly ((i: number) => number)[] = [
  () => 0,
  (i) => (i % 2 ? -0 : 0),
  (i) => (i === 0 ? 127 : (i % 250) / 2 - 60.25),
  (i) => (i === 0 ? -7 : (i % 28) / 2 - 6.5),
  (i) => 2 ** -149 * (i % 5),
  (i) => 2 ** -130 * ((i % 11) - 5),
  (i) => ((i % 3) - 1) * 3.3e38,
  (i) => 2 ** ((i % 200) - 100) * (i % 2 ? 1 : -1),
  () => -0.3,
];

describe.each(roundings)("%s", (rounding) => {
  describe.each(names)("%s", (name) => {
    test.each(["bf16", "f32"] as const)("%s rows of any width", (dtype) => {
      for (const cols of [1, 3, 7, 8, 15, 16, 17, 31, 32, 33, 64, 100, 129, 257, 512]) {
        const values = Float32Array.from({ length: 5 * cols }, normal);
        expect(byKernel(values, cols, name, rounding, dtype), `${cols} columns`).toEqual(
          byDefinition(values, cols, name, rounding, dtype),
        );
      }
    });
    test.each(["bf16", "f32"] as const)("%s rows at the edges", (dtype) => {
      const cols = 77;
      const values = Float32Array.from(
        hard.flatMap((value) => Array.from({ length: cols }, (_, i) => value(i))),
      );
      expect(byKernel(values, cols, name, rounding, dtype)).toEqual(
        byDefinition(values, cols, name, rounding, dtype),
      );
    });
    test.each([NaN, Infinity, -Infinity])("%d is left to those who say where it is", (value) => {
      for (const at of [0, 16, 40, 76, 77 + 33]) {
        const values = Float32Array.from({ length: 3 * 77 }, normal);
        values[at] = value;
        expect(byKernel(values, 77, name, rounding, "f32")).toEqual([undefined, undefined]);
        expect(byKernel(values, 77, name, rounding, "bf16")).toEqual([undefined, undefined]);
      }
    });
  });
});
