import { parentPort } from "node:worker_threads";
import { packShards, type PackShare } from "./pack-shards.ts";
import type { PackAnswer } from "./pack-team.ts";

function answer(share: PackShare): PackAnswer {
  try {
    return { outcome: packShards(share) };
  } catch (error) {
    return { error };
  }
}

parentPort?.on("message", (share: PackShare) => parentPort?.postMessage(answer(share)));
