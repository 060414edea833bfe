/** Laws of every way to round a matrix. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { awq, smooth } from "../../../src/quant/balance.ts";
import { coupledEnergy, valuesOf } from "../../../src/quant/output-error.ts";
import { createProducts, productsCode } from "../../../src/quant/products.ts";
import { methodOf, roundingNames, type KnownMatrix } from "../../../src/quant/rounding/rounders.ts";
import { createRandom } from "../../../src/support/random.ts";
import { formats, type FormatName } from "../../../src/tensor/format.ts";
import { assemble } from "../../../src/wasm/assemble.ts";

const [rows, cols] = [6, 40];

/** The second moments of random rows, of which the first `used` columns are not zero. */
function moments(n: number, samples: number, used: number, seed: number): Float64Array {
  const random = createRandom(seed);
  const out = new Float64Array(n * n);
  for (let s = 0; s < samples; s++) {
    const x = Array.from({ length: n }, (_, i) => (i < used ? random.float() - 0.3 : 0));
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++)
        out[i * n + j] = (out[i * n + j] ?? 0) + ((x[i] ?? 0) * (x[j] ?? 0)) / samples;
  }
  return out;
}

const names: FormatName[] = ["int8", "int4", "int4-g32", "int4-g32-asym", "int4-asym"];
const weight = fc.oneof(
  fc.constant(0),
  fc.double({ min: -1, max: 1, noNaN: true }),
  fc.constantFrom(1e30, -1e30, 1e-38, -1e-30),
);
const matrix = fc.record({
  w: fc.array(weight, { minLength: rows * cols, maxLength: rows * cols }).map((x) => Float32Array.from(x)),
  zeroRows: fc.integer({ min: 0, max: rows }),
  used: fc.integer({ min: 0, max: cols }),
  seed: fc.integer(),
  hasOutputs: fc.boolean(),
});

describe("every rounding", () => {
  test.each(roundingNames)("%s gives scales that are finite and above zero, whatever it meets", (name) => {
    const { round } = methodOf(name);
    fc.assert(
      fc.property(matrix, fc.constantFrom(...names), ({ w, zeroRows, used, seed, hasOutputs }, format) => {
        w.fill(0, 0, zeroRows * cols);
        const known: KnownMatrix = {
          w,
          rows,
          cols,
          inputs: moments(cols, 50, used, seed),
          ...(hasOutputs && { outputs: moments(rows, 20, Math.ceil(used / 8), seed + 1) }),
        };
        const found = round(known, formats[format]);
        expect(found.scales.every((s) => s > 0 && Number.isFinite(s))).toBe(true);
        expect(valuesOf(found, rows, cols, formats[format]).every(Number.isFinite)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
  test("factors of channels are finite and above zero, whatever they are found on", () => {
    fc.assert(
      fc.property(matrix, ({ w, zeroRows, used, seed }) => {
        w.fill(0, 0, zeroRows * cols);
        const inputs = moments(cols, 50, used, seed);
        const peaks = Float64Array.from({ length: cols }, (_, i) => Math.sqrt(inputs[i * cols + i] ?? 0));
        for (const balancer of [awq, smooth]) {
          const readers = [{ w, rows, format: formats["int4-g32"] }];
          const factors = balancer({ channels: cols, inputs, peaks, readers });
          expect(factors.every((s) => s > 0 && Number.isFinite(s))).toBe(true);
        }
      }),
      { numRuns: 30 },
    );
  });
});

test("rounding that knows what outputs matter errs less where they matter", async () => {
  const products = createProducts(await productsCode(assemble));
  const random = createRandom(3);
  const w = Float32Array.from({ length: rows * cols }, () => random.float() - 0.5);
  const [inputs, outputs] = [moments(cols, 200, cols, 1), moments(rows, 100, rows, 2)];
  const { round } = methodOf("gptq");
  const errorOf = (known: KnownMatrix): number => {
    const values = valuesOf(round(known, formats["int4-g32"]), rows, cols, formats["int4-g32"]);
    return coupledEnergy(
      w.map((x, i) => x - (values[i] ?? 0)),
      rows,
      cols,
      inputs,
      outputs,
      products,
    );
  };
  expect(errorOf({ w, rows, cols, inputs, outputs })).toBeLessThan(errorOf({ w, rows, cols, inputs }));
});

test("smoothing brings the peaks of channels and of their columns together", () => {
  const w = Float32Array.from({ length: rows * cols }, (_, i) => 1 / (1 + (i % cols)));
  const peaks = Float64Array.from({ length: cols }, (_, i) => 1 + i);
  const factors = smooth({
    channels: cols,
    inputs: new Float64Array(cols * cols),
    peaks,
    readers: [{ w, rows, format: formats.int8 }],
  });
  const ratio = (i: number): number =>
    (peaks[i] ?? 0) / (factors[i] ?? 1) / ((w[i] ?? 0) * (factors[i] ?? 1));
  for (let i = 1; i < cols; i++) expect(ratio(i) / ratio(0)).toBeCloseTo(1, 4);
});
