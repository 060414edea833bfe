/** Every figure of a profile, told by where it stands. */
import { isSourced, type Sourced } from "./figure.ts";
import type { Profile } from "./profile.ts";

export type PlacedFigure = {
  /** Such as `spaces.l1.bytes` or `paths.gm-l1.startup`. */
  readonly place: string;
  readonly figure: Sourced<unknown>;
  /** The value in words where it is no number: `f32-f16, i32-f16 by channel`. */
  readonly shown: string;
};

/** Every figure, in the order of the profile. */
export const figuresOf = (profile: Profile): readonly PlacedFigure[] => collect(profile, []);

function collect(it: unknown, place: readonly string[]): readonly PlacedFigure[] {
  if (typeof it !== "object" || it === null) return [];
  if (isSourced(it)) return [{ place: place.join("."), figure: it, shown: shown(it.value) }];
  return Object.entries(it).flatMap(([key, value]) =>
    collect(value, [...place, Array.isArray(it) ? labelOf(value, key) : key]),
  );
}

/** What an entry of a list is called: by its name, or by what tells it from the others. */
function labelOf(entry: unknown, index: string): string {
  const field = (key: string): string | undefined =>
    typeof entry === "object" && entry !== null && key in entry ? String(Reflect.get(entry, key)) : undefined;
  const [name, core, from, a] = [field("name"), field("core"), field("from"), field("a")];
  if (from !== undefined) return `${from}-${field("to")}`;
  if (name !== undefined)
    return field("scope") === undefined && core !== undefined ? `${core}.${name}` : name;
  if (a !== undefined) return `${a}-${field("b")}`;
  return field("dtype") ?? field("space") ?? index;
}

function shown(value: unknown): string {
  if (!Array.isArray(value)) return String(value);
  return value
    .map((it: unknown) => {
      if (typeof it !== "object" || it === null) return String(it);
      const scale: unknown = Reflect.get(it, "scale");
      return `${labelOf(it, "")}${scale === undefined ? "" : ` by ${String(scale)}`}`;
    })
    .join(", ");
}
