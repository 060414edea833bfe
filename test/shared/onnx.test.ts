/** Models of the ONNX project and of real exporters are read without a fault. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readOnnx } from "../../src/frontend/onnx/reading/read.ts";
import { root } from "../support/moec.ts";
import { shared } from "./folder.ts";

test.for(["node", "exports", "models"])("every model of onnx/%s", async (set, { skip }) => {
  const folder = shared(`onnx/${set}`, skip);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const { graph, opsets } = await readOnnx(join(folder, entry.name, "model.onnx"));
    expect(graph.nodes.length).toBeGreaterThan(0);
    expect(opsets.size).toBeGreaterThan(0);
  }
});

test("ONNX's own node tests: what is imported computes what it should to the tolerance of ONNX", ({
  skip,
}) => {
  const suite = shared("onnx/node", skip);
  const script = join(root, "fixtures/scripts/conformance.ts");
  const { stdout } = spawnSync(process.execPath, [script, suite, "--engine"], {
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  const [, passed] = /(\d+) passed, \d+ failed\n$/.exec(stdout) ?? [];
  expect(Number(passed)).toBe(794);
});
