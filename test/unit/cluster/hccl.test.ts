import { expect, test } from "vitest";
import { hcclBuffSize } from "../../../src/cluster/hccl.ts";

test("HCCL_BUFFSIZE is what CANN's own check asks for", () => {
  // Its error message for Qwen3-Next on four ranks, vllm-ascend issue 4051.
  expect(hcclBuffSize({ tokens: 64, width: 2048, topK: 10, ranks: 4, localExperts: 128 })).toBe(294);
  // Less than the default is never asked for.
  expect(hcclBuffSize({ tokens: 4, width: 192, topK: 4, ranks: 2, localExperts: 16 })).toBe(200);
});
