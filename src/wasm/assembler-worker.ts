import { parentPort } from "node:worker_threads";
import { assemble, loadAssembler } from "./assemble.ts";
import type { Assembled } from "./assembler.ts";

parentPort?.on("message", (text: string) => {
  assemble(text).then(
    (bytes) => parentPort?.postMessage({ bytes } satisfies Assembled, [bytes.buffer]),
    (error: unknown) => parentPort?.postMessage({ error } satisfies Assembled),
  );
});
await loadAssembler();
