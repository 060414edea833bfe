/** Weights read row by row, as the plan's writer does, against recipes evaluated whole. */
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { readHeader } from "../../src/frontend/safetensors/header.ts";
import { evaluateRecipe } from "../../src/interp/kernels/recipe.ts";
import type { Tensor } from "../../src/interp/tensor.ts";
import { createPacker, packerCode } from "../../src/plan/packing/packer.ts";
import { quantizer } from "../../src/quant/quantizer.ts";
import { createRandom } from "../../src/support/random.ts";
import { decodeToF32 } from "../../src/tensor/codec.ts";
import { byteLength } from "../../src/tensor/dtype.ts";
import { looseBytes, packedBytes } from "../../src/tensor/pack.ts";
import {
  cast,
  concat,
  constant,
  dequantize,
  recipeFault,
  reshape,
  slice,
  source,
  stack,
  transpose,
  type Recipe,
} from "../../src/tensor/recipe.ts";
import { rowBytes, rowCount, rowReader } from "../../src/tensor/recipe-rows.ts";
import { writeSafetensors } from "../../src/tensor/safetensors-file.ts";
import { readRegion } from "../../src/tensor/source.ts";
import { assemble } from "../../src/wasm/assemble.ts";
import { tempFolder } from "../support/temp.ts";

const file = join(tempFolder(), "weights.safetensors");
const random = createRandom(11);
const noise = (bytes: number): Uint8Array => Uint8Array.from({ length: bytes }, () => random.below(120));
const stored = [
  ["a", "bf16", [6, 4]],
  ["b", "bf16", [3, 4]],
  ["c", "f32", [2, 3, 4]],
  ["v", "f32", [5]],
  ["q", "f8e4m3", [7, 5]],
  ["s", "f32", [3, 2]],
] as const;
writeSafetensors(
  file,
  stored.map(([name, dtype, shape]) => ({
    name,
    dtype,
    shape,
    data: noise(
      byteLength(
        dtype,
        shape.reduce<number>((n, d) => n * d, 1),
      ),
    ),
  })),
);
const { tensors } = readHeader(file);
const entry = (name: string) => tensors.get(name) ?? expect.fail(`no tensor ${name}`);

const leaves: readonly Recipe[] = [
  ...stored.slice(0, 4).map(([name, dtype, shape]) => source(name, dtype, shape)),
  dequantize(source("q", "f8e4m3", [7, 5]), source("s", "f32", [3, 2]), [3, 4]),
  constant([2, 4], [1, 2, 3, 4, 5, 6, 7, 8]),
];

/** Other shapes of as many elements. */
const reshapes = (shape: readonly number[]): readonly (readonly number[])[] => {
  const count = shape.reduce((n, d) => n * d, 1);
  return [
    [count],
    [1, count],
    ...(count % 2
      ? []
      : [
          [count / 2, 2],
          [2, count / 2],
        ]),
  ];
};

const { recipe } = fc.letrec<{ recipe: Recipe }>((tie) => ({
  recipe: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom(...leaves),
    tie("recipe").map((r) => cast(r, "f32")),
    tie("recipe").map((r) => concat([r, r])),
    tie("recipe").map((r) => stack([r, r, r])),
    tie("recipe").map((r) => (r.shape.length >= 2 ? transpose(r) : r)),
    fc
      .tuple(tie("recipe"), fc.nat(3))
      .map(([r, i]) => reshape(r, reshapes(r.shape)[i % reshapes(r.shape).length] ?? r.shape)),
    fc.tuple(tie("recipe"), fc.nat(), fc.nat(), fc.nat()).map(([r, a, b, c]) => {
      const axis = a % r.shape.length;
      const begin = b % (r.shape[axis] ?? 1);
      return slice(r, axis, begin, begin + 1 + (c % ((r.shape[axis] ?? 1) - begin)));
    }),
  ),
}));

const read = (name: string): Tensor => {
  const { dtype, shape, region } = entry(name);
  const data = new Float32Array(shape.reduce((n, d) => n * d, 1));
  decodeToF32(dtype, readRegion(region), data);
  return { dtype, shape, data };
};

test("any rows of any recipe are those of the whole", () => {
  const reader = rowReader(entry, quantizer);
  fc.assert(
    fc.property(recipe, fc.nat(), fc.nat(), (r, a, b) => {
      expect(recipeFault(r)).toBeUndefined();
      const rows = rowCount(r.shape);
      const begin = a % rows;
      const count = 1 + (b % (rows - begin));
      const bytes = new Uint8Array(count * rowBytes(r));
      reader.read(r, begin, bytes);
      const found = new Float32Array(bytes.length / byteLength(r.dtype, 1));
      decodeToF32(r.dtype, bytes, found);
      const width = r.shape.at(-1) ?? 1;
      expect([...found]).toEqual([
        ...evaluateRecipe(r, read, quantizer).data.slice(begin * width, (begin + count) * width),
      ]);
    }),
    { numRuns: 1000 },
  );
  reader.close();
});

test("numbers cast to fewer bits are rounded to nearest, and four bits lie two to a byte", () => {
  const reader = rowReader(entry, quantizer);
  const bytesOf = (dtype: "f16" | "i8" | "i4", values: readonly number[]): Uint8Array => {
    const bytes = new Uint8Array(byteLength(dtype, values.length));
    reader.read(cast(constant([1, values.length], values), dtype), 0, bytes);
    return bytes;
  };
  expect([...new Float16Array(bytesOf("f16", [1 / 3, 65504, -1e-9]).buffer)]).toEqual([Math.f16round(1 / 3), 65504, -0]); // prettier-ignore
  expect([...new Int8Array(bytesOf("i8", [-12, 12]).buffer)]).toEqual([-12, 12]);
  expect([...bytesOf("i4", [-8, 7, 1, -1])]).toEqual([0x78, 0xf1]);
  expect(() => bytesOf("f16", [1, 70_000])).toThrow(/is 70000 at row 0, column 1, beyond the 65504/);
  reader.close();
});

test("a packed matrix has each element where the layout says, and zeros elsewhere", async () => {
  const packer = createPacker(await packerCode(assemble));
  const shape = fc.record({
    dtype: fc.constantFrom("bf16", "f32", "i8"),
    rows: fc.integer({ min: 1, max: 50 }),
    cols: fc.integer({ min: 1, max: 40 }),
  });
  fc.assert(
    fc.property(shape, ({ dtype, rows, cols }) => {
      const width = looseBytes[dtype];
      const units = Math.ceil((cols * width) / 4);
      const given = noise(rows * cols * width);
      const expected = new Uint8Array(packedBytes(dtype, rows, cols));
      for (let row = 0; row < rows; row++)
        for (let byte = 0; byte < cols * width; byte++) {
          const unit = (Math.floor(row / 16) * units + Math.floor(byte / 4)) * 16 + (row % 16);
          expected[unit * 4 + (byte % 4)] = given[row * cols * width + byte] ?? 0;
        }
      const packed = packer.pack(dtype, rows, cols, (room) => room.set(given));
      expect(Buffer.compare(packed, expected)).toBe(0);
    }),
  );
});

test("packed codes of four bits stand four columns apart in a byte", async () => {
  const packer = createPacker(await packerCode(assemble));
  const size = fc.integer({ min: 1, max: 80 });
  fc.assert(
    fc.property(size, size, (rows, cols) => {
      const given = noise(rows * cols);
      const expected = new Uint8Array(packedBytes("i4", rows, cols));
      given.forEach((code, i) => {
        const [row, col] = [Math.floor(i / cols), i % cols];
        const unit = (Math.floor(row / 16) * Math.ceil(cols / 8) + Math.floor(col / 8)) * 16 + (row % 16);
        const at = unit * 4 + (col % 4);
        expected[at] = (expected[at] ?? 0) | ((code & 15) << (col & 4));
      });
      const packed = packer.pack("i4", rows, cols, (room) => room.set(given));
      expect(Buffer.compare(packed, expected)).toBe(0);
    }),
  );
});
