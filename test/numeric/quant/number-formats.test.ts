/** The worked examples of docs/number-formats.md are what the code writes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { quantizer } from "../../../src/quant/quantizer.ts";
import { bitsPerWeight, formatNames, formats, isFormatName } from "../../../src/tensor/format.ts";
import { bytesOfPart } from "../../../src/tensor/stored-parts.ts";
import { packed } from "../../support/kernels/kernels.ts";
import { root } from "../../support/moec.ts";

const page = readFileSync(join(root, "docs/number-formats.md"), "utf8");

/** Numbers of a line; `0 x28` is 28 of them. */
const numbers = (text: string): readonly number[] =>
  [...text.matchAll(/(\S+)(?: x(\d+))?/g)].flatMap(([, value, times]) =>
    Array<number>(Number(times ?? 1)).fill(Number(value)),
  );

const hex = (bytes: Uint8Array, perWord: number): string =>
  Buffer.from(bytes)
    .toString("hex")
    .replaceAll(new RegExp(`(.{${2 * perWord}})(?!$)`, "g"), "$1 ");

/** What the code makes of one row, line by line as the page has it. */
function written(name: string, row: string): Readonly<Record<string, string>> {
  if (!isFormatName(name)) return expect.fail(`${name} is no format`);
  const format = formats[name];
  const w = Float32Array.from(numbers(row));
  const found = quantizer(w, 1, w.length, format, "nearest");
  const isFloat = format.codes === "e2m1";
  const scaleBytes = { f32: 4, bf16: 2, f8e8m0: 1 }[format.scale];
  const stored = bytesOfPart(found, "codes", format);
  const type = isFloat ? "f4e2m1" : format.bits === 8 ? "i8" : "i4";
  const words = packed(type, new Int8Array(stored.buffer, stored.byteOffset, stored.length), 1, w.length);
  const ofRow = Array.from({ length: words.length / 64 }, (_, unit) => [
    ...words.subarray(unit * 64, unit * 64 + 4),
  ]);
  return {
    codes: shortened([...found.codes].map((code) => (isFloat ? code / 2 : code))),
    scales: hex(bytesOfPart(found, "scales", format), scaleBytes),
    ...(found.zeros && { zeros: [...found.zeros].join(" ") }),
    packed: hex(Uint8Array.from(ofRow.flat()), 4),
  };
}

/** Numbers as the page has them, runs of five and more as one with its length. */
function shortened(values: readonly number[]): string {
  const out: string[] = [];
  for (let i = 0; i < values.length;) {
    let run = 1;
    while (values[i + run] === values[i]) run++;
    if (run < 5) out.push(...values.slice(i, i + run).map(String));
    else out.push(`${values[i]} x${run}`);
    i += run;
  }
  return out.join(" ");
}

const examples = [...page.matchAll(/^```text\nformat +(\S+)\nrow +(.*)\n([^`]*)```$/gm)].map(
  ([, name = "", row = "", rest = ""]) => {
    const lines = [...rest.matchAll(/^(\w+) +(.*)$/gm)].map(([, key = "", value = ""]) => [key, value]);
    return { name, row, lines: Object.fromEntries(lines) as Readonly<Record<string, string>> };
  },
);

test.each(examples.map((it) => [it.name, it] as const))("%s", (name, { row, lines }) => {
  expect(lines).toEqual(written(name, row));
});

test("every kind of format has an example, and every format a line of the table", () => {
  const shown = new Set(examples.map((it) => it.name));
  expect(["int8", "int4-g32", "int4-g32-asym", "mxfp4"].filter((it) => !shown.has(it))).toEqual([]);
  expect(formatNames.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

test.each([
  ["int8", 8.004],
  ["int8-128x128", 8.25],
  ["int4", 4.004],
  ["int4-g32", 4.5],
  ["int4-g64", 4.25],
  ["int4-g128", 4.125],
  ["int4-asym", 4.006],
  ["int4-g32-asym", 4.75],
  ["mxfp4", 4.25],
] as const)("%s takes %d bits a weight", (name, bits) => {
  expect(bitsPerWeight(formats[name], 7168)).toBeCloseTo(bits, 3);
});
