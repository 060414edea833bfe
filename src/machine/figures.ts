/** Every figure of a profile, told by where it stands. */
import { isSourced, type Sourced } from "../support/figure.ts";
import type { Profile } from "./profile.ts";

/** The unit of a figure by its field's name; fields that are not here are counts and factors. */
const units: Readonly<Record<string, string>> = {
  clock: "MHz",
  bytes: "B",
  reserved: "B",
  align: "B",
  rowBytes: "B",
  efficientBytes: "B",
  pieceBytes: "B",
  bytesPerCycle: "B/cycle",
  elementsPerCycle: "elements/cycle",
  coreBytesPerCycle: "B/cycle",
  startup: "cycles",
  rowCycles: "cycles",
  latency: "cycles",
  cycles: "cycles",
  capacity: "B",
  bytesPerSecond: "B/s",
  l2Bytes: "B",
  l2BytesPerCycle: "B/cycle",
  launch: "us",
  picojoules: "pJ",
  l2: "pJ/B",
  vectorByte: "pJ/B",
  watts: "W",
};

export type PlacedFigure = {
  /** Such as `spaces.l1.bytes` or `paths.gm-l1.startup`. */
  readonly place: string;
  readonly figure: Sourced<unknown>;
  readonly unit: string;
};

/** Every figure, in the order of the profile. */
export const figuresOf = (profile: Profile): readonly PlacedFigure[] => collect(profile, []);

/**
 * Where figures stand that are models, as nobody has published them: those that times rest on, and those of energy. What a simulation shows
 * is no surer than these.
 */
export function modelled(profile: Profile): {
  readonly time: readonly string[];
  readonly energy: readonly string[];
} {
  const places = figuresOf(profile)
    .filter(({ figure }) => figure.confidence === "model")
    .map((it) => it.place);
  // What a space holds and how flags are numbered decides what is legal, not how long it takes.
  return {
    time: places.filter((it) => !/^(energy|spaces|flags)\./.test(it)),
    energy: places.filter((it) => it.startsWith("energy.")),
  };
}

function collect(it: unknown, place: readonly string[]): readonly PlacedFigure[] {
  if (typeof it !== "object" || it === null) return [];
  if (isSourced(it)) return [{ place: place.join("."), figure: it, unit: units[place.at(-1) ?? ""] ?? "" }];
  return Object.entries(it).flatMap(([key, value]) =>
    collect(value, [...place, Array.isArray(it) ? labelOf(value, key) : key]),
  );
}

/** What an entry of a list is called: by its name, or by what tells it from the others. */
export function labelOf(entry: unknown, otherwise: string): string {
  const field = (key: string): string | undefined =>
    typeof entry === "object" && entry !== null && key in entry ? String(Reflect.get(entry, key)) : undefined;
  const [name, core, from, a] = [field("name"), field("core"), field("from"), field("a")];
  if (from !== undefined) return `${from}-${field("to")}`;
  if (name !== undefined)
    return field("scope") === undefined && core !== undefined ? `${core}.${name}` : name;
  if (a !== undefined) return `${a}-${field("b")}`;
  return field("dtype") ?? field("space") ?? otherwise;
}
