import * as v from "valibot";
import { isDType, type DType } from "../tensor/dtype.ts";
import { fail } from "../support/diagnostics.ts";

/** The published form of plan.json. What a plan holds is told here and nowhere else. */
export const planFormat = "moec-plan";
export const planVersion = 1;

const whole = v.pipe(v.number(), v.integer(), v.minValue(0));
const extent = v.object({ times: v.number(), dim: v.picklist(["1", "S", "T"]) });
const argument = v.variant("kind", [
  v.object({ kind: v.literal("weight"), name: v.string() }),
  v.object({ kind: v.literal("buffer"), name: v.string(), offset: v.number() }),
  v.object({ kind: v.literal("cacheEnd"), name: v.string() }),
  v.object({ kind: v.literal("literal"), value: v.number() }),
  v.object({ kind: v.literal("extent"), extent }),
  v.object({ kind: v.literal("scratch") }),
]);
const program = v.object({
  name: v.string(),
  maxTokens: whole,
  buffers: v.array(v.object({ name: v.string(), rows: extent, rowBytes: whole })),
  steps: v.array(v.object({ kernel: v.string(), args: v.array(argument), units: extent, value: v.string() })),
  inputs: v.object({ ids: v.string(), positions: v.string() }),
  logits: v.string(),
  routers: v.optional(v.array(v.object({ buffer: v.string(), k: whole })), []),
  scratch: v.object({ fixed: whole, perPosition: whole }),
});

const graphValue = v.object({
  name: v.string(),
  dtype: v.custom<DType>((it) => typeof it === "string" && isDType(it)),
  dims: v.array(v.union([v.number(), v.string()])),
});

const file = v.object({ bytes: whole, crc32: v.string() });

const manifest = v.object({
  format: v.literal(planFormat),
  version: v.literal(planVersion),
  /** The folder inside the plan that holds its files, named by their content. */
  data: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)),
  model: v.object({
    family: v.string(),
    parameters: whole,
    vocab: whole,
    layers: whole,
    maxPositions: whole,
    bos: v.optional(whole),
    eos: v.array(whole),
  }),
  target: v.string(),
  quantization: v.string(),
  context: whole,
  programs: v.array(program),
  caches: v.array(v.object({ name: v.string(), rowBytes: whole })),
  /** In a plan of a graph: what it takes and gives. Its operators stand in module.mir. */
  graph: v.optional(v.object({ inputs: v.array(graphValue), outputs: v.array(graphValue) })),
  /** Where each weight lies in its safetensors file is in that file's header; here is what it must be. */
  weights: v.array(
    v.object({
      name: v.string(),
      file: v.pipe(v.string(), v.regex(/^[\w-]+\.safetensors$/)),
      bytes: whole,
      crc32: v.string(),
    }),
  ),
  files: v.record(v.string(), file),
});

export type Manifest = v.InferOutput<typeof manifest>;

/** Read plan.json. Throws `plan/not-a-plan`, `plan/version` or `plan/damaged`. */
export function parseManifest(text: string, path: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return fail("plan/damaged", { kind: "file", file: path }, "plan.json", String(error));
  }
  const head = v.safeParse(v.looseObject({ format: v.literal(planFormat), version: v.number() }), json);
  if (!head.success)
    return fail("plan/not-a-plan", { kind: "file", file: path }, "plan.json is of another kind");
  if (head.output.version !== planVersion)
    return fail(
      "plan/version",
      { kind: "file", file: path },
      String(head.output.version),
      String(planVersion),
    );
  const parsed = v.safeParse(manifest, json);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const pointer = `/${(issue.path ?? []).map((p) => String(p.key)).join("/")}`;
  return fail("plan/damaged", { kind: "json", file: path, pointer }, "plan.json", issue.message);
}
