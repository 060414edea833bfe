/** JSON from outside, checked once at the border. */
import * as v from "valibot";
import { repeatedKey } from "./repeated-key.ts";

/** Read a text as what a schema says. `wrong` is told of the first fault: its place as a JSON pointer, and why. */
export function parseJson<S extends v.GenericSchema>(
  schema: S,
  text: string,
  wrong: (pointer: string, why: string) => never,
): v.InferOutput<S> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return wrong("", error instanceof Error ? error.message : String(error));
  }
  const repeated = repeatedKey(text);
  if (repeated !== undefined) return wrong(repeated, "it is given twice");
  const parsed = v.safeParse(schema, json);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  return wrong(`/${(issue.path ?? []).map((p) => String(p.key)).join("/")}`, issue.message);
}
