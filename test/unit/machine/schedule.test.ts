/** The schedule language, on a product of matrices. */
import { describe, expect, test } from "vitest";
import { ascend910b3 } from "../../../targets/ascend/profiles/910.ts";
import { insertFlags } from "../../../src/machine/schedule/flags.ts";
import { parseKernel } from "../../../src/machine/schedule/parser.ts";
import { printKernel } from "../../../src/machine/schedule/printer.ts";
import { executable } from "../../../src/machine/simulate/execute.ts";
import { rowMajor } from "../../../src/machine/simulate/memory.ts";
import { time } from "../../../src/machine/simulate/time.ts";

type Tile = { readonly m: number; readonly n: number; readonly k: number; readonly step: number };

const product = (k: number, n: number, tile: Tile): string => `kernel product for ascend-910b3
size S
tensor a: bf16[S, ${k}] in
tensor w: bf16[${n}, ${k}] nz in
tensor c: f32[S, ${n}] out
on cube {
  let down = ceil(S, ${tile.m})
  for t in group .. down * ${Math.ceil(n / tile.n)} step groups {
    let m = t mod down * ${tile.m}
    let n = t / down * ${tile.n}
    let rows = min(${tile.m}, S - m)
    let cols = min(${tile.n}, ${n} - n)
    buffer acc: l0c f32[${tile.m}, ${tile.n}]
    for k in 0 .. ${k} step ${tile.k} {
      let depth = min(${tile.k}, ${k} - k)
      buffer a1: l1 bf16[${tile.m}, ${tile.k}] x2
      buffer w1: l1 bf16[${tile.n}, ${tile.k}] x2
      copy a[m : rows, k : depth] -> a1[0 : rows, 0 : depth]
      copy w[n : cols, k : depth] -> w1[0 : cols, 0 : depth]
      for j in 0 .. depth step ${tile.step} {
        let d = min(${tile.step}, depth - j)
        buffer a0: l0a bf16[${tile.m}, ${tile.step}] x2
        buffer w0: l0b bf16[${tile.n}, ${tile.step}] x2
        copy a1[0 : rows, j : d] -> a0[0 : rows, 0 : d]
        copy w1[0 : cols, j : d] -> w0[0 : cols, 0 : d]
        matmul a0[0 : rows, 0 : d], w0[0 : cols, 0 : d] -> acc[0 : rows, 0 : cols] first k + j == 0
      }
    }
    copy acc[0 : rows, 0 : cols] -> c[m : rows, n : cols]
  }
}
`;

describe("a schedule", () => {
  const text = product(300, 70, { m: 32, n: 48, k: 64, step: 16 });
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
    [4096, 1024, 2048],
    [1000, 3000, 576],
    [32, 7168, 2048],
  ])("of %d x %d x %d takes the time that walking through every turn gives, within 1 %%", (s, k, n) => {
    const large = insertFlags(parseKernel(product(k, n, { m: 128, n: 256, k: 256, step: 64 })), ascend910b3);
    const launch = { sizes: new Map([["S", s]]) };
    const quick = time(large, ascend910b3, launch);
    const whole = time(large, ascend910b3, launch, () => {});
    expect(quick.walked).toBeLessThan(whole.walked);
    expect(Math.abs(quick.cycles / whole.cycles - 1)).toBeLessThan(0.01);
    expect(quick.macs / whole.macs).toBeCloseTo(1, 6);
    expect(quick.memoryBytes / whole.memoryBytes).toBeCloseTo(1, 2);
  });
});
