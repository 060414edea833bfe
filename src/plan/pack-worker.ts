import { closeSync, openSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { runJobs, type PackShare } from "./pack-jobs.ts";

const share: PackShare = workerData; // made by packWeights in this package
const fd = openSync(share.file, "r+");
try {
  parentPort?.postMessage(runJobs(fd, share));
} finally {
  closeSync(fd);
}
