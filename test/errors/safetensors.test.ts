/** Bad safetensors files get their diagnosis; nothing else ever comes of them. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openCheckpoint } from "../../src/frontend/safetensors/checkpoint.ts";
import { readHeader } from "../../src/frontend/safetensors/header.ts";
import { CompileError } from "../../src/support/diagnostics.ts";
import { layoutSafetensors, writeSafetensors } from "../../src/tensor/safetensors-file.ts";
import { corpus, malformed } from "../support/malformed.ts";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const entries = malformed("safetensors");

/** The manifest's ST_HEADER_UTF8 is our safetensors/header-utf8. */
const codeOf = (code: string): string =>
  `safetensors/${code.replace("ST_", "").toLowerCase().replaceAll("_", "-")}`;

/** The code of the first fault, or `accepted`; anything but a diagnostic passes through as the failure it is. */
function outcome(open: () => unknown): string {
  try {
    open();
    return "accepted";
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    return error.diagnostics[0]?.code ?? "none";
  }
}

describe("the corpus of malformed files", () => {
  test.each(entries)("$file: $wrong", ({ file, expect: verdict, code }) => {
    const started = performance.now();
    const memory = process.memoryUsage.rss();
    const found = outcome(() => openCheckpoint(join(corpus, file)));
    expect(found).toBe(verdict === "accept" ? "accepted" : codeOf(code));
    expect(performance.now() - started).toBeLessThan(1000);
    expect(process.memoryUsage.rss() - memory).toBeLessThan(64 << 20);
  });
});

describe("a whole file", () => {
  const whole = join(folder, "whole.safetensors");
  const tensors = [
    { name: "a", dtype: "f32", shape: [2, 3], data: new Uint8Array(24).fill(1) },
    { name: "b.weight", dtype: "bf16", shape: [5], data: new Uint8Array(10).fill(2) },
    { name: "empty", dtype: "i32", shape: [0, 4], data: new Uint8Array(0) },
  ] as const;
  writeSafetensors(whole, tensors);
  const bytes = readFileSync(whole);
  const written = (name: string, data: Uint8Array): string => {
    const file = join(folder, name);
    writeFileSync(file, data);
    return file;
  };

  test("reads back as it was written", () => {
    const { tensors: found } = readHeader(whole);
    expect([...found].map(([name, { dtype, shape }]) => ({ name, dtype, shape }))).toEqual(
      tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
    );
    for (const { name, data } of tensors) {
      const region = found.get(name)?.region;
      const at = region?.offset ?? NaN;
      expect(new Uint8Array(bytes.subarray(at, at + (region?.bytes ?? 0)))).toEqual(data);
    }
  });
  test("cut short anywhere is refused", () => {
    for (let length = 0; length < bytes.length; length++)
      expect(
        outcome(() => readHeader(written("cut", bytes.subarray(0, length)))),
        `${length} bytes`,
      ).toMatch(/^safetensors\//);
  });
  test("with any byte of the header changed is accepted or refused, and never worse", () => {
    const headerBytes = Number(bytes.readBigUInt64LE(0)) + 8;
    fc.assert(
      fc.property(fc.nat(headerBytes - 1), fc.nat(255), (at, value) => {
        const changed = Uint8Array.from(bytes).fill(value, at, at + 1);
        expect(outcome(() => readHeader(written("changed", changed)))).toMatch(/^(safetensors\/|accepted$)/);
      }),
      { numRuns: 500 },
    );
  });
});

test("what is written lies without holes, whatever the tensors", () => {
  const tensor = fc.record({ name: fc.string(), rows: fc.nat(5), cols: fc.nat(5) });
  const list = fc.uniqueArray(tensor, { selector: (t) => t.name, maxLength: 8 });
  fc.assert(
    fc.property(list, (all) => {
      const entries = all
        .filter(({ name }) => name !== "__metadata__")
        .map(({ name, rows, cols }) => ({
          name,
          dtype: "f32" as const,
          shape: [rows, cols],
          bytes: rows * cols * 4,
        }));
      const { header, offsets, totalBytes } = layoutSafetensors(entries);
      let at = header.byteLength;
      for (const { name, bytes } of entries) {
        expect(offsets.get(name)).toBe(at);
        at += bytes;
      }
      expect(totalBytes).toBe(at);
    }),
  );
});

describe("a shard index", () => {
  const dir = join(folder, "sharded");
  mkdirSync(dir);
  writeSafetensors(join(dir, "one.safetensors"), [
    { name: "w", dtype: "f32", shape: [1], data: new Uint8Array(4) },
  ]);
  const index = (weightMap: Readonly<Record<string, string>>): string => {
    writeFileSync(join(dir, "model.safetensors.index.json"), JSON.stringify({ weight_map: weightMap }));
    return dir;
  };
  test.each([
    ["names a shard that is not there", { w: "one.safetensors", v: "two.safetensors" }, "two.safetensors"],
    ["names a tensor that is not in its shard", { w: "one.safetensors", v: "one.safetensors" }, '"v"'],
    ["does not name a tensor of the shard", { v: "one.safetensors" }, '"w"'],
    ["leads out of the folder", { w: "../whole.safetensors" }, "../whole.safetensors"],
  ])("that %s is refused by name", (_, weightMap, named) => {
    expect(() => openCheckpoint(index(weightMap))).toThrow(named);
    expect(outcome(() => openCheckpoint(dir))).toBe("safetensors/shard-index");
  });
});
