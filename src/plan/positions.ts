import { fail, type Where } from "../support/diagnostics.ts";
import type { Manifest } from "./manifest.ts";

/** Whether a plan's caches hold so many positions. Throws `run/context`. */
export function checkPositions(
  { context, model }: Pick<Manifest, "context" | "model">,
  needed: number,
  where?: Where,
): void {
  if (needed > context) fail("run/context", where, needed, context, model.maxPositions);
}
