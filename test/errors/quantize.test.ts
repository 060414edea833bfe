/** Weights that no scale covers, and quantized plans that are no smaller than their model. */
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { readHeader } from "../../src/frontend/safetensors/header.ts";
import { moec, root } from "../support/moec.ts";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const [first, second] = ["model-00001-of-000003.safetensors", "model-00003-of-000003.safetensors"];

/** A copy of the bundled model, bfloat16, with one element of one of its experts' matrices in each of two files replaced. */
function spoiled(name: string, bits: number): { readonly dir: string; readonly tensor: string } {
  const dir = join(folder, name);
  cpSync(join(root, "fixtures/moe-6m"), dir, { recursive: true });
  const spoil = (file: string): string => {
    const path = join(dir, file);
    const bytes = readFileSync(path);
    const [tensor, entry] =
      [...readHeader(path).tensors].find(
        ([it]) => it.includes("experts.") && it.endsWith("down_proj.weight"),
      ) ?? expect.fail(file);
    bytes.writeUInt16LE(bits, entry.region.offset + 2 * (5 * (entry.shape[1] ?? 0) + 3));
    writeFileSync(path, bytes);
    return tensor;
  };
  spoil(second);
  return { dir, tensor: spoil(first) };
}

const plan = join(folder, "plan");
beforeAll(() => void moec(["compile", "fixtures/tiny/v2", "-o", plan]));

test.each([
  ["nan", 0x7fc0, "int8", "nearest"],
  ["minus-infinite", 0xff80, "w8a8", "clipped"],
  ["nan-mxfp4", 0x7f81, "mxfp4", "nearest"],
] as const)(
  "%s: the same place at any number of threads, and the plan that was there still is",
  (name, bits, quant, rounding) => {
    const { dir, tensor } = spoiled(name, bits);
    const before = readFileSync(join(plan, "plan.json"), "utf8");
    const entries = readdirSync(plan);
    const said = ["1", "2"].map((threads) => {
      const args = ["--quant", quant, "--rounding", rounding, "--threads", threads, "--json"];
      const { code, out } = moec(["compile", dir, "-o", plan, ...args]);
      expect(code).toBe(3);
      return out;
    });
    expect(new Set(said).size).toBe(1);
    // Activations that are rounded rotate the weights first: a whole block of the row is lost then.
    const column = quant === "w8a8" ? 0 : 3;
    expect(JSON.parse(said[0] ?? "")).toMatchObject({
      error: [
        {
          code: "quant/not-finite",
          message: `a weight is not a finite number at row 5, column ${column}, so it has no scale`,
          where: { kind: "tensor", tensor },
        },
      ],
    });
    expect(readFileSync(join(plan, "plan.json"), "utf8")).toBe(before);
    expect(readdirSync(plan)).toEqual(entries);
  },
);

test("where no plan was, none is", () => {
  const { dir } = spoiled("fresh", 0x7fc0);
  const fresh = join(folder, "fresh-plan");
  expect(moec(["compile", dir, "-o", fresh, "--quant", "int8"]).code).toBe(3);
  expect(existsSync(join(fresh, "plan.json"))).toBe(false);
});

describe("a plan that is no smaller than its model", () => {
  const compile = (quant: string, ...more: readonly string[]) => {
    const plan = join(folder, `growth-${quant}${more.length}`);
    const { code, out } = moec([
      ...["compile", "fixtures/deep/v31-fp8-ue8m0-tiny", "-o", plan, "--quant", quant, "--json"],
      ...more,
    ]);
    return { code, out, isThere: existsSync(join(plan, "plan.json")) };
  };
  test("is refused, and what takes most is named", () => {
    const { code, out, isThere } = compile("int8");
    expect([code, isThere]).toEqual([5, false]);
    expect(JSON.parse(out)).toMatchObject({
      error: [
        {
          code: "quant/not-smaller",
          message: expect.stringMatching(
            /take 1\.36 MiB, no less than the model's 1\.18 MiB; most take: model\.layers\.\*\.mlp\.experts\.\*\.gate_proj\.weight as I8 360 KiB; /,
          ),
        },
      ],
    });
  });
  test("is written where that is allowed, or it is smaller", () => {
    expect(compile("int8", "--allow-larger")).toMatchObject({ code: 0, isThere: true });
    expect(compile("int4")).toMatchObject({ code: 0, isThere: true });
  });
});
