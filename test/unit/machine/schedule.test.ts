/** The schedule language, on a product of matrices. */
import { productText } from "../../support/schedules/product.ts";
import { describe, expect, test } from "vitest";
import { ascend910b3 } from "../../../targets/ascend/profiles/910.ts";
import { insertFlags } from "../../../src/machine/schedule/flags.ts";
import { parseKernel } from "../../../src/machine/schedule/parser.ts";
import { printKernel } from "../../../src/machine/schedule/printer.ts";
import { executable } from "../../../src/machine/simulate/execute.ts";
import { rowMajor } from "../../../src/machine/simulate/memory.ts";
import { time } from "../../../src/machine/simulate/time.ts";

describe("a schedule", () => {
  const text = productText(300, 70, { m: 32, n: 48, k: 64, step: 16 });
  const kernel = insertFlags(parseKernel(text), ascend910b3);

  test("is a text that parses back", () => {
    expect(printKernel(parseKernel(text))).toBe(text);
    expect(printKernel(parseKernel(printKernel(kernel)))).toBe(printKernel(kernel));
  });

  test("has each buffer handed to its reader and back, by one flag a pair of engines", () => {
    const flags = printKernel(kernel).match(/(set|wait) .*/g) ?? [];
    expect(new Set(flags.map((it) => it.replace(/ x\d$/, "").slice(it.indexOf(" ") + 1)))).toEqual(
      new Set([
        "fix -> cube #0",
        "cube -> fix #0",
        "mte2 -> mte1 #0",
        "mte1 -> mte2 #0",
        "mte1 -> mte2 #1",
        "mte1 -> cube #0",
        "cube -> mte1 #0",
        "cube -> mte1 #1",
      ]),
    );
  });

  test("computes the product on data, ragged edges and all", () => {
    const [s, k, n] = [50, 300, 70];
    const number = (i: number): number => (((i * 37) % 101) - 50) / 64;
    const a = Float32Array.from({ length: s * k }, (_, i) => number(i));
    const w = Float32Array.from({ length: n * k }, (_, i) => number(i + 7));
    const c = new Float32Array(s * n);
    const bound = (values: Float32Array, dims: readonly number[]) => ({
      values,
      offset: 0,
      strides: rowMajor(dims),
    });
    executable(
      kernel,
      ascend910b3,
    )({
      sizes: new Map([["S", s]]),
      tensors: new Map([
        ["a", bound(a, [s, k])],
        ["w", bound(w, [n, k])],
        ["c", bound(c, [s, n])],
      ]),
    });
    for (let i = 0; i < s; i++)
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let p = 0; p < k; p++) sum += (a[i * k + p] ?? 0) * (w[j * k + p] ?? 0);
        expect(c[i * n + j]).toBeCloseTo(sum, 4);
      }
  });

  test.each([
    [16384, 1024, 4096],
    [1000, 3000, 576],
    [32, 7168, 2048],
  ])("of %d x %d x %d takes the time that walking through every turn gives, within 1 %%", (s, k, n) => {
    const large = insertFlags(
      parseKernel(productText(k, n, { m: 128, n: 256, k: 256, step: 64 })),
      ascend910b3,
    );
    const launch = { sizes: new Map([["S", s]]) };
    const quick = time(large, ascend910b3, launch);
    const whole = time(large, ascend910b3, launch, () => {});
    expect(quick.walked).toBeLessThan(whole.walked);
    expect(Math.abs(quick.cycles / whole.cycles - 1)).toBeLessThan(0.01);
    expect(quick.macs / whole.macs).toBeCloseTo(1, 6);
    expect(quick.memoryBytes / whole.memoryBytes).toBeCloseTo(1, 2);
  });
});
