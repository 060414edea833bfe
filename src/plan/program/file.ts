import * as v from "valibot";
import { fail } from "../../support/diagnostics.ts";
import type { Program } from "./program.ts";

/** The form of a file that holds the programs of one rank. */
const whole = v.pipe(v.number(), v.integer(), v.minValue(0));
const extent = v.object({ times: v.number(), dim: v.string() });
const skip = v.optional(extent);
const argument = v.variant("kind", [
  v.object({ kind: v.literal("weight"), name: v.string() }),
  v.object({ kind: v.literal("buffer"), name: v.string(), offset: v.number(), skip }),
  v.object({ kind: v.literal("cacheEnd"), name: v.string() }),
  v.object({ kind: v.literal("literal"), value: v.number() }),
  v.object({ kind: v.literal("extent"), extent }),
  v.object({ kind: v.literal("scratch") }),
]);
const rows = v.object({
  buffer: v.string(),
  offset: whole,
  skip,
  rows: extent,
  width: whole,
  stride: whole,
});
const collective = v.variant("kind", [
  v.object({ kind: v.literal("allReduce"), from: rows, to: rows }),
  v.object({ kind: v.literal("reduceScatter"), axis: whole, begin: extent, from: rows, to: rows }),
  v.object({ kind: v.literal("allGather"), axis: whole, from: rows, to: rows }),
  v.object({
    kind: v.literal("dispatch"),
    held: v.array(whole),
    starts: v.array(whole),
    count: v.string(),
    x: rows,
    indices: rows,
    weights: rows,
    rows,
    slots: rows,
    shares: rows,
    from: rows,
  }),
  v.object({ kind: v.literal("combine"), rows, from: rows, to: rows }),
  v.object({ kind: v.literal("send"), from: rows }),
  v.object({ kind: v.literal("recv"), to: rows }),
]);
/** What ranks do together, in the programs of an engine as in those of a device. */
export const collectiveStep = v.object({ collective, group: v.array(whole), value: v.string() });
const step = v.union([
  v.object({ kernel: v.string(), args: v.array(argument), units: extent, value: v.string() }),
  collectiveStep,
]);
const programs = v.array(
  v.object({
    name: v.string(),
    maxTokens: whole,
    mostTold: v.optional(whole),
    buffers: v.array(v.object({ name: v.string(), rows: extent, rowBytes: whole })),
    steps: v.array(step),
    inputs: v.object({ ids: v.string(), positions: v.string() }),
    logits: v.optional(v.string()),
    routers: v.array(v.object({ buffer: v.string(), rows: extent, k: whole })),
    scratchBytes: whole,
  }),
);

/** The programs of one rank as the text of their file. */
export const formatPrograms = (of: readonly Program[]): string => `${JSON.stringify(of, null, 1)}\n`;

/** Read the programs of a rank. Throws `plan/damaged`. */
export function parsePrograms(text: string, path: string): readonly Program[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return fail("plan/damaged", { kind: "file", file: path }, path, String(error));
  }
  const parsed = v.safeParse(programs, json);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const pointer = `/${(issue.path ?? []).map((p) => String(p.key)).join("/")}`;
  return fail("plan/damaged", { kind: "json", file: path, pointer }, "a program", issue.message);
}
