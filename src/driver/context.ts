/** How long the sequences may be that a model is made ready for. */
import { fail } from "../support/diagnostics.ts";

/** A model that knows `most` positions, and how many are asked for; `usual` where nobody asks. */
export type Asked = { readonly asked: number | undefined; readonly usual: number; readonly most: number };

/** Positions of the longest sequence: those asked for, else the usual ones that the model knows. Throws `usage/value` where it knows fewer than are asked for. */
export function contextOf({ asked, usual, most }: Asked): number {
  if (asked !== undefined && asked > most)
    fail(
      "usage/value",
      { kind: "flag", flag: "--context" },
      "--context",
      `${asked}`,
      `at most ${most}, all positions that the model knows`,
    );
  return asked ?? Math.min(usual, most);
}
