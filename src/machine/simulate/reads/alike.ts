/** Copies outside of loops that read the same for every core, such as scales and gains: memory gives it once, and the cache to all others. */
import type { Profile } from "../../profile.ts";
import { coresOf } from "../../schedule/cores.ts";
import { ownNames } from "../../schedule/kernel.ts";
import type { Operation, PreparedPart } from "../../schedule/prepare.ts";
import { tensorOf } from "./names.ts";

/** Of such copies, the share of each core that misses, where so many groups have work. */
export const sharesOfAlike = (
  parts: readonly PreparedPart[],
  profile: Profile,
  working: number,
): ReadonlyMap<Operation, number> =>
  new Map(
    parts.flatMap((part) =>
      part.body.flatMap((it): (readonly [Operation, number])[] =>
        it.kind === "operation" && tensorOf(it) !== undefined && isAlike(it, part)
          ? [[it, 1 / (working * coresOf(profile, part.core))]]
          : [],
      ),
    ),
  );

/** Whether what it reads follows from the launch alone. */
function isAlike({ regions: [source] }: Operation, { known }: PreparedPart): boolean {
  const launch = new Set([...known].flatMap(([name, slot]) => (ownNames.has(name) ? [] : [slot])));
  return (
    source !== undefined && [...source.uses.at, ...source.uses.size].flat().every((it) => launch.has(it))
  );
}
