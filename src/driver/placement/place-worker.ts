import { parentPort } from "node:worker_threads";
import { placeLayer } from "../../cluster/placement/place.ts";
import { evidenceOf } from "./place.ts";
import type { PlaceTask } from "./place-threads.ts";

parentPort?.on("message", ({ layer, experts, placing }: PlaceTask) =>
  parentPort?.postMessage(placeLayer(evidenceOf(layer, experts), placing)),
);
