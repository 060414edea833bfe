/** GPTQ against a plain reading of the paper in NumPy (fixtures/scripts/gptq-reference.py), whose codes were kept. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { expect, test } from "vitest";
import { gptqOnGrid } from "../../../src/quant/gptq/gptq.ts";
import { formatNames, formats } from "../../../src/tensor/format.ts";
import { root } from "../../support/moec.ts";

const numbers = v.array(v.number());
const schema = v.object({
  cases: v.array(
    v.object({
      format: v.picklist(formatNames),
      rows: v.number(),
      cols: v.number(),
      activations: numbers,
      weights256: numbers,
      scales: numbers,
      zeros: v.nullable(numbers),
      order: numbers,
      codes: numbers,
    }),
  ),
});
const { cases } = v.parse(schema, JSON.parse(readFileSync(join(root, "fixtures/quant/gptq.json"), "utf8")));

/** Second moments of rows of activations. */
function moments(x: readonly number[], cols: number): Float64Array {
  const rows = x.length / cols;
  const out = new Float64Array(cols * cols);
  for (let r = 0; r < rows; r++)
    for (let i = 0; i < cols; i++)
      for (let j = 0; j < cols; j++)
        out[i * cols + j] =
          (out[i * cols + j] ?? 0) + ((x[r * cols + i] ?? 0) * (x[r * cols + j] ?? 0)) / rows;
  return out;
}

test.each(cases.map((it) => [`${it.format}, ${it.rows} x ${it.cols}`, it] as const))(
  "%s: the same codes in the same order of columns",
  (_, { format, rows, cols, ...it }) => {
    const hessian = moments(it.activations, cols);
    const diagonal = (i: number) => hessian[i * cols + i] ?? 0;
    const order = [...Array(cols).keys()].sort((a, b) => diagonal(b) - diagonal(a) || a - b);
    expect(order).toEqual(it.order);
    const w = Float32Array.from(it.weights256, (x) => x / 256);
    const grid = {
      scales: Float32Array.from(it.scales),
      ...(it.zeros && { zeros: Int8Array.from(it.zeros) }),
    };
    const found = gptqOnGrid(w, rows, cols, hessian, formats[format], grid, Int32Array.from(order));
    expect([...found.codes]).toEqual(it.codes);
  },
);

test("the cases are not those of rounding to nearest", () => {
  for (const { format, rows, cols, codes, scales, weights256 } of cases) {
    if (!formats[format].symmetric) continue;
    const groups = scales.length / rows;
    const width = Math.min(formats[format].group, cols);
    const nearest = weights256.map((x, i) => {
      const scale = scales[Math.floor(i / cols) * groups + Math.floor((i % cols) / width)] ?? 1;
      return Math.round(x / 256 / scale);
    });
    const same = codes.filter((code, i) => code === nearest[i]).length;
    expect(same / codes.length, format).toBeLessThan(0.8);
  }
});
