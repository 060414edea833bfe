import { parentPort, workerData } from "node:worker_threads";
import { packHere, type PackShare } from "./pack-jobs.ts";

const share: PackShare = workerData; // made by packWeights in this package
parentPort?.postMessage(packHere(share));
