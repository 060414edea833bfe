import * as v from "valibot";
import { isDType, type DType } from "../tensor/dtype.ts";
import { fail } from "../support/diagnostics.ts";

/** The published form of plan.json. What a plan holds is told here and nowhere else. */
export const planFormat = "moec-plan";
export const partFormat = "moec-part";
export const planVersion = 5;

const whole = v.pipe(v.number(), v.integer(), v.minValue(0));
/** Bytes that a rank takes, by what they are for; `scratch` is what cores of a device's kernels pass tiles through. */
const memory = v.object({
  weights: whole,
  cache: whole,
  workspace: whole,
  scratch: whole,
  communication: whole,
});

const rank = v.object({
  /** The file of its programs. */
  programs: v.string(),
  caches: v.array(v.object({ name: v.string(), rowBytes: whole })),
  memory,
  /** What HCCL_BUFFSIZE must be where the ranks are Ascend devices that dispatch tokens to each other. */
  hcclBuffSizeMB: v.optional(whole),
  /** Which device of the plan's cluster it is for, where it was compiled for one. */
  device: v.optional(whole),
});

const dtype = v.custom<DType>((it) => typeof it === "string" && isDType(it));

const graphValue = v.object({
  name: v.string(),
  dtype,
  dims: v.array(v.union([v.number(), v.string()])),
});

const weight = v.object({
  name: v.string(),
  file: v.pipe(v.string(), v.regex(/^[\w-]+\.safetensors$/)),
  bytes: whole,
  crc32: v.string(),
});
const files = v.record(v.string(), v.object({ bytes: whole, crc32: v.string() }));

/** What a plan says before anything of it is written. */
const head = {
  format: v.literal(planFormat),
  version: v.literal(planVersion),
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
  /** How many ranks there are on each axis: pipeline stages, groups of other sequences, experts, tensors. */
  mesh: v.object({ pp: whole, dp: whole, ep: whole, tp: whole }),
  /** What runs on each rank; none in a plan of a graph. */
  ranks: v.array(rank),
  /** The groups of ranks that talk, and the most bytes that one of them brings to a collective. */
  channels: v.array(v.object({ group: v.array(whole), bytes: whole })),
  /** In a plan of a graph: what it takes and gives. Its operators stand in module.mir. */
  graph: v.optional(v.object({ inputs: v.array(graphValue), outputs: v.array(graphValue) })),
  /** In a plan for devices: the names of their profiles. Programs are launches there, profiles stand in profiles/. */
  machine: v.optional(v.string()),
};

const manifest = v.object({
  ...head,
  /** The folder inside the plan that holds its files, named by their content. */
  data: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)),
  /** Where each weight lies in its safetensors file is in that file's header; here is what it must be. */
  weights: v.array(weight),
  files,
});

/** One part of a plan, written on its own: its weights and files, and what the whole has. */
export const partSchema = v.object({
  format: v.literal(partFormat),
  part: whole,
  of: whole,
  data: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)),
  head: v.object(head),
  /** The safetensors files of the whole, in order. */
  shards: v.array(v.string()),
  weights: v.array(weight),
  files,
});

export type Part = v.InferOutput<typeof partSchema>;
export type Manifest = v.InferOutput<typeof manifest>;
export type RankMemory = v.InferOutput<typeof memory>;

/** What a rank takes nothing of. */
export const noMemory: RankMemory = { weights: 0, cache: 0, workspace: 0, scratch: 0, communication: 0 };

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
