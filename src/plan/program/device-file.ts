import * as v from "valibot";
import { isDType, type DType } from "../../tensor/dtype.ts";
import { fail } from "../../support/diagnostics.ts";
import type { DevicePlan } from "./device.ts";
import { collectiveStep } from "./file.ts";

/** The form of a file that holds what one rank launches on a device. */
const whole = v.pipe(v.number(), v.integer(), v.minValue(0));
const extent = v.object({ times: v.number(), dim: v.string() });
const dtype = v.custom<DType>((it) => typeof it === "string" && isDType(it));
const launch = v.object({
  kernel: v.string(),
  sizes: v.array(v.object({ name: v.string(), extent })),
  operands: v.array(
    v.object({
      tensor: v.string(),
      region: v.picklist(["weight", "buffer", "cache"]),
      name: v.string(),
      offset: whole,
      skip: v.optional(extent),
    }),
  ),
  value: v.string(),
});
const program = v.object({
  name: v.string(),
  maxTokens: whole,
  mostTold: v.optional(whole),
  buffers: v.array(v.object({ name: v.string(), dtype, rows: extent, cols: whole, at: whole, bytes: whole })),
  steps: v.array(v.union([launch, collectiveStep])),
  inputs: v.object({ ids: v.string(), positions: v.string() }),
  logits: v.optional(v.string()),
  routers: v.array(v.object({ buffer: v.string(), rows: extent, k: whole })),
});
const device = v.object({
  machine: v.string(),
  programs: v.array(program),
  caches: v.array(v.object({ name: v.string(), dtype, cols: whole })),
  weights: v.array(
    v.object({ name: v.string(), dtype, elements: whole, fractal: v.exactOptional(v.literal(true)) }),
  ),
  kernels: v.array(v.pipe(v.string(), v.regex(/^\w+$/))),
});

/** What a rank launches as the text of its file. */
export const formatDevicePlan = (of: DevicePlan): string => `${JSON.stringify(of, null, 1)}\n`;

/** Read what a rank launches. Throws `plan/damaged`. */
export function parseDevicePlan(text: string, path: string): DevicePlan {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return fail("plan/damaged", { kind: "file", file: path }, path, String(error));
  }
  const parsed = v.safeParse(device, json);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const pointer = `/${(issue.path ?? []).map((p) => String(p.key)).join("/")}`;
  return fail("plan/damaged", { kind: "json", file: path, pointer }, "a program", issue.message);
}
