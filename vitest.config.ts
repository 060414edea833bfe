import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/setup.ts",
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: "100%", // vitest leaves one core to itself, which of two is half
  },
});
