/** Recorded routing on disk: safetensors, a tensor a text, [token, layer of experts, choice]. */
import { closeSync, openSync } from "node:fs";
import { readHeader, type TensorEntry } from "../../frontend/safetensors/header.ts";
import { groupsIn, type LayerRouting } from "../../cluster/placement/routing.ts";
import type { RecordedRoutes } from "../../runtime/eval/record-routes.ts";
import { fail } from "../../support/diagnostics.ts";
import { writeSafetensors } from "../../tensor/safetensors-file.ts";
import { readInto } from "../../tensor/source.ts";

/** What texts took, by the text's name, and what there was to choose from. */
export type Routing = {
  readonly texts: ReadonlyMap<string, readonly LayerRouting[]>;
  /** Routed experts of a layer. */
  readonly experts: number;
  /** Groups that routers choose within; 1 where there are none. */
  readonly groups: number;
};

const layout = "token, MoE layer, choice: routed expert ids in no particular order";

/** Write what was recorded: U8, or U16 where there are more than 256 experts. Throws `plan/write`. */
export function writeRouting(
  file: string,
  texts: ReadonlyMap<string, RecordedRoutes>,
  facts: { readonly experts: number; readonly groups: number; readonly window: number },
): void {
  const dtype = facts.experts <= 256 ? "u8" : "u16";
  const tensors = [...texts].map(([name, { shape, experts }]) => {
    const data = dtype === "u8" ? Uint8Array.from(experts) : new Uint8Array(experts.buffer);
    return { name, dtype, shape, data } as const;
  });
  const metadata = {
    layout,
    windows: `${facts.window} tokens each, in text order`,
    experts: String(facts.experts),
    groups: String(facts.groups),
  };
  writeSafetensors(file, tensors, metadata);
}

/**
 * Read recorded routing. What the file does not say of experts and groups is taken from `said`, then from what was chosen.
 * Throws `route/file` for a tensor of another form.
 */
export function readRouting(
  file: string,
  said: { readonly experts?: number | undefined; readonly groups?: number | undefined },
): Routing {
  const { tensors, metadata } = readHeader(file);
  const noted = (key: string): number | undefined => {
    const value = Number(metadata.get(key) ?? NaN);
    return Number.isSafeInteger(value) && value > 0 ? value : undefined;
  };
  const texts = new Map([...tensors].map(([name, entry]) => [name, layersOf(file, name, entry)]));
  let most = 0;
  for (const layers of texts.values())
    for (const { choices } of layers) for (const expert of choices) most = Math.max(most, expert);
  const experts = said.experts ?? noted("experts") ?? most + 1;
  const groups = said.groups ?? noted("groups") ?? groupsIn([...texts.values()].flat(), experts);
  if (most >= experts) fail("route/file", { kind: "file", file }, `it holds expert ${most} of ${experts}`);
  if (experts % groups !== 0)
    fail("route/file", { kind: "file", file }, `${experts} experts are not ${groups} equal groups`);
  return { texts, experts, groups };
}

function layersOf(file: string, tensor: string, entry: TensorEntry): readonly LayerRouting[] {
  const [tokens = 0, layers = 0, k = 0] = entry.shape;
  const wide = entry.dtype === "u16";
  if (entry.shape.length !== 3 || (entry.dtype !== "u8" && !wide))
    return fail(
      "route/file",
      { kind: "tensor", file, tensor },
      `it is ${entry.dtype} [${entry.shape.join(", ")}], expected U8 or U16 [tokens, layers, choices]`,
    );
  const bytes = new Uint8Array(entry.region.bytes);
  const fd = openSync(file, "r");
  try {
    readInto(fd, bytes, entry.region.offset);
  } finally {
    closeSync(fd);
  }
  const ids = wide ? new Uint16Array(bytes.buffer) : bytes;
  return Array.from({ length: layers }, (_, layer) => {
    const choices = new Uint16Array(tokens * k);
    for (let t = 0; t < tokens; t++)
      choices.set(ids.subarray((t * layers + layer) * k, (t * layers + layer + 1) * k), t * k);
    return { k, choices };
  });
}
