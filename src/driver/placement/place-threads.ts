import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { LayerMap } from "../../cluster/expert-map.ts";
import { refuseTooMany, type Placing } from "../../cluster/placement/place.ts";
import type { LayerRouting } from "../../cluster/placement/routing.ts";
import { siblingModule } from "../../support/sibling-module.ts";

/** What a thread is asked to place. */
export type PlaceTask = {
  readonly layer: LayerRouting;
  readonly experts: number;
  readonly placing: Placing;
};

/**
 * Search for a placement of every layer on `threads` threads; what is found does not depend on their number. `onLayer` hears of each one
 * done. Throws `cluster/no-room`.
 */
export async function searchOnThreads(
  layers: readonly LayerRouting[],
  experts: number,
  placing: Placing & { readonly policy: "search" },
  threads: number,
  onLayer: (done: number) => void,
): Promise<readonly LayerMap[]> {
  refuseTooMany(experts, placing); // before there are threads, through which a diagnostic would not pass whole
  const tasks = layers.map((layer, i) => ({ i, task: { layer, experts, placing } satisfies PlaceTask }));
  const placed: LayerMap[] = [];
  let done = 0;
  const left = tasks.values(); // shared: each thread takes the next layer
  const serve = async (worker: Worker): Promise<void> => {
    for (const { i, task } of left) {
      worker.postMessage(task);
      const [map] = (await once(worker, "message")) as [LayerMap]; // as place-worker.ts posts it
      placed[i] = map;
      onLayer(++done);
    }
  };
  const workers = Array.from(
    { length: Math.min(threads, layers.length) },
    () => new Worker(siblingModule("./place-worker.ts", import.meta.url)),
  );
  try {
    await Promise.all(workers.map(serve));
  } finally {
    await Promise.all(workers.map((it) => it.terminate()));
  }
  return placed;
}
