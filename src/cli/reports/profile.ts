/** A device's figures as people read them. Scripts read `moec targets NAME --json`. */
import { confidences } from "../../support/figure.ts";
import { figuresOf, labelOf, type PlacedFigure } from "../../machine/figures.ts";
import type { Profile } from "../../machine/profile.ts";
import { number, table } from "../../support/text.ts";

/** Every figure with its unit, confidence and source; then the lists; then what the confidences mean. */
export function profileText(profile: Profile): string {
  const figures = figuresOf(profile);
  const lists = figures.filter(({ figure }) => Array.isArray(figure.value));
  const rows = figures
    .filter((it) => !lists.includes(it))
    .map(({ place, unit, figure }) => [
      place,
      Number.isSafeInteger(figure.value) ? number(Number(figure.value)) : String(figure.value),
      unit,
      figure.confidence,
      figure.source,
    ]);
  return [
    `${profile.name}: ${profile.summary}\n`,
    table(rows),
    ...lists.map(listText),
    table(Object.entries(confidences).map(([name, meaning]) => [name, meaning])),
  ].join("\n");
}

function listText({ place, figure }: PlacedFigure): string {
  const entries = Array.isArray(figure.value) ? figure.value.map(entryText) : [];
  return `${place}  ${figure.confidence}  ${figure.source}\n  ${entries.join(", ")}\n`;
}

function entryText(entry: unknown): string {
  if (typeof entry !== "object" || entry === null) return String(entry);
  const scale: unknown = Reflect.get(entry, "scale");
  return `${labelOf(entry, "")}${scale === undefined ? "" : ` by ${String(scale)}`}`;
}
