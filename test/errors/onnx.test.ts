/** Bad ONNX files get their diagnosis; nothing else ever comes of them. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import proto from "onnx-proto";
import { describe, expect, test } from "vitest";
import { importOnnx } from "../../src/frontend/onnx/import.ts";
import { readOnnx } from "../../src/frontend/onnx/reading/read.ts";
import { CompileError } from "../../src/support/diagnostics.ts";
import { corpus, malformed } from "../support/malformed.ts";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();

/** The codes of the manifest as they are called here. */
const codes: Readonly<Record<string, string>> = {
  OX_PROTOBUF: "onnx/protobuf",
  OX_PROTOBUF_TRUNCATED: "onnx/protobuf-truncated",
  OX_NO_GRAPH: "onnx/no-graph",
  OX_UNDEFINED_VALUE: "onnx/undefined-value",
  OX_EXTERNAL_MISSING: "onnx/external-missing",
  OX_EXTERNAL_RANGE: "onnx/external-range",
  OX_BAD_SHAPE: "onnx/bad-shape",
  OX_SIZE_MISMATCH: "onnx/size-mismatch",
  OX_AMBIGUOUS_DATA: "onnx/ambiguous-data",
  OX_DUPLICATE_NAME: "onnx/duplicate-name",
  OX_OPSET: "onnx/opset",
  OX_DEPTH: "onnx/depth",
  OX_FUNCTION_CYCLE: "onnx/function-cycle",
  OX_UTF8: "onnx/utf8",
  OX_UNKNOWN_OP: "onnx/unknown-op",
  OX_MISSING_ATTR: "onnx/missing-attribute",
  OX_ATTR_TYPE: "onnx/attribute-type",
  OX_BAD_SCALE: "onnx/bad-scale",
  OX_DTYPE_MISMATCH: "onnx/dtype-mismatch",
  OX_SHAPE_MISMATCH: "onnx/shape-mismatch",
  OX_FOLD_LIMIT: "onnx/fold-limit",
};

/** The codes of all faults, or `accepted`; anything but a diagnostic passes through as the failure it is. */
async function outcome(file: string): Promise<readonly string[]> {
  try {
    importOnnx(await readOnnx(file));
    return ["accepted"];
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    return error.diagnostics.map((d) => d.code);
  }
}

test.each(malformed("onnx"))("$file: $wrong", async ({ file, code }) => {
  const started = performance.now();
  expect(await outcome(join(corpus, file))).toEqual([codes[code]]);
  expect(performance.now() - started).toBeLessThan(1000);
});

/** One addition with an initializer of four floats; `data` says where these lie. */
const modelWith = (data: proto.onnx.ITensorProto): Uint8Array => {
  const float = { tensorType: { elemType: 1, shape: { dim: [{ dimValue: 4 }] } } };
  return proto.onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ domain: "", version: 17 }],
    graph: {
      name: "g",
      node: [{ opType: "Add", name: "add", input: ["x", "w"], output: ["y"] }],
      initializer: [{ name: "w", dataType: 1, dims: [4], ...data }],
      input: [{ name: "x", type: float }],
      output: [{ name: "y", type: float }],
    },
  }).finish();
};
const written = (name: string, bytes: Uint8Array): string => {
  const file = join(folder, name);
  writeFileSync(file, bytes);
  return file;
};
const raw = Uint8Array.from({ length: 16 }, (_, i) => i);

describe("a whole model", () => {
  const whole = modelWith({ rawData: raw });

  test("reads, and its weights stay in the file", async () => {
    const file = written("whole.onnx", whole);
    const { graph, opsets } = await readOnnx(file);
    expect(opsets.get("")).toBe(17);
    const { data, shape, dtype } = graph.initializers.get("w") ?? expect.fail("no initializer");
    expect({ shape, dtype }).toEqual({ shape: [4], dtype: "f32" });
    const region = data.kind === "region" ? data.region : expect.fail("weights were read");
    expect(new Uint8Array(readFileSync(file).subarray(region.offset, region.offset + region.bytes))).toEqual(
      raw,
    );
  });
  test("cut short anywhere is refused or lacks what it names", async () => {
    for (let length = 1; length < whole.length; length++)
      expect(await outcome(written("cut.onnx", whole.subarray(0, length))), `${length} bytes`).not.toContain(
        "accepted",
      );
  });
  test("with any byte changed is accepted or refused, and never worse", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), async (at, value) => {
        const changed = Uint8Array.from(whole).fill(value, at, at + 1);
        for (const code of await outcome(written("changed.onnx", changed)))
          expect(code).toMatch(/^(onnx\/|accepted$)/);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("external data", () => {
  const home = join(folder, "home");
  mkdirSync(home);
  writeFileSync(join(home, "weights.bin"), raw);
  writeFileSync(join(folder, "secret.bin"), raw);
  symlinkSync(join(folder, "secret.bin"), join(home, "link.bin"));
  const at = async (location: string, more: readonly [string, string][] = []) => {
    const externalData = [["location", location] as const, ...more].map(([key, value]) => ({ key, value }));
    return outcome(written("home/model.onnx", modelWith({ dataLocation: 1, externalData })));
  };
  test("beside the model is read in place", async () => {
    expect(await at("weights.bin")).toEqual(["accepted"]);
    expect(await at("weights.bin", [["offset", "0"], ["length", "16"]])).toEqual(["accepted"]); // prettier-ignore
  });
  test.each(["../secret.bin", "link.bin", "a/../../secret.bin", "/etc/hostname", ""])(
    "at '%s' is refused",
    async (path) => {
      expect(await at(path)).toEqual(["onnx/external-path"]);
    },
  );
  test.each([
    ["offset", "-8"],
    ["offset", "4"],
    ["offset", "1e99"],
    ["length", "-1"],
  ] as const)("with %s %s is out of range", async (key, value) => {
    expect(await at("weights.bin", [[key, value]])).toEqual(["onnx/external-range"]);
  });
  test("of another length is a mismatch", async () => {
    expect(await at("weights.bin", [["length", "12"]])).toEqual(["onnx/size-mismatch"]);
  });
});
