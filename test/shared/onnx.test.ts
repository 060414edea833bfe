/** Models of the ONNX project and of real exporters are read without a fault. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readOnnx } from "../../src/frontend/onnx/read.ts";
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
