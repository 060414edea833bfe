/** Kernels and their times as people read them. */
import { modelled } from "../../machine/figures.ts";
import type { Profile } from "../../machine/profile.ts";
import { limits, type Limit } from "../../machine/simulate/limit.ts";
import type { KernelTime } from "../../runtime/device/simulate.ts";
import { bytes, counted, table, time } from "../../support/text.ts";

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** A duration given in microseconds, in the unit that suits it. */
export const duration = (microseconds: number): string => time(microseconds * 1e-6);

/** Kernels with their shares of so many microseconds; their names come last, as they are long. */
export const kernelTable = (kernels: readonly KernelTime[], whole: number): string =>
  table([
    ["us", "of all", "roofline", "times", "limit", "kernel"].map((it, i) => it.padStart(widths[i] ?? 0)),
    ...kernels.map((it) => [
      it.microseconds.toFixed(1).padStart(widths[0]),
      percent(it.microseconds / whole).padStart(widths[1]),
      percent(it.roofline).padStart(widths[2]),
      `${it.launches}`.padStart(widths[3]),
      it.limit,
      it.kernel,
    ]),
  ]);

/** Of the columns of figures, which stand to the right. */
const widths = [9, 7, 8, 6] as const;

/** Shares of so many microseconds that engines work, by `core.engine`, the busiest first. */
export function enginesText(kernels: readonly KernelTime[], whole: number): string {
  const busy = new Map<string, number>();
  for (const { utilisation, microseconds } of kernels)
    for (const [engine, share] of Object.entries(utilisation))
      busy.set(engine, (busy.get(engine) ?? 0) + (share * microseconds) / whole);
  const engines = [...busy].toSorted(([, a], [, b]) => b - a);
  return `engines at work: ${engines.map(([engine, share]) => `${engine} ${percent(share)}`).join(", ")}\n`;
}

/** Microseconds by what limits the kernels, the longest first. */
export function byLimit(kernels: readonly KernelTime[]): ReadonlyMap<Limit, number> {
  const times = new Map<Limit, number>();
  for (const { limit, microseconds } of kernels) times.set(limit, (times.get(limit) ?? 0) + microseconds);
  return new Map([...times].toSorted(([, a], [, b]) => b - a));
}

/** Such as `cube 61.2 %, memory 30.0 %`. */
export function limitShares(kernels: readonly KernelTime[]): string {
  const times = byLimit(kernels);
  const whole = [...times.values()].reduce((n, it) => n + it, 0);
  return [...times].map(([limit, it]) => `${limit} ${percent(it / whole)}`).join(", ");
}

/** What the limits mean that some kernels have. */
export const limitsExplained = (kernels: readonly KernelTime[]): string =>
  [...byLimit(kernels).keys()].map((it) => `limit ${it}: ${limits[it]}\n`).join("");

/** Bytes over each path, and of the chip's memory. */
export function pathBytes(kernels: readonly KernelTime[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const { bytes: own } of kernels)
    for (const [path, n] of Object.entries(own)) found.set(path, (found.get(path) ?? 0) + n);
  return new Map([...found].toSorted(([, a], [, b]) => b - a));
}

/** Such as `gm to l1 1.20 GiB`. */
export function pathsText(kernels: readonly KernelTime[]): string {
  const paths = [...pathBytes(kernels)].map(([path, n]) => `${path.replace(" ", " to ")} ${bytes(n)}`);
  const memory = kernels.reduce((n, it) => n + it.memoryBytes, 0);
  return `bytes: ${[...paths, `of these ${bytes(memory)} from and to memory`].join(", ")}\n`;
}

/** Figures that the text names of those that are models. */
const shownFigures = 4;

/** What of a simulation rests on figures that nobody has published. */
export function caution(profile: Profile): string {
  const { time: places } = modelled(profile);
  const more = places.length > shownFigures ? ", …" : "";
  return places.length === 0
    ? ""
    : `times rest on ${counted(places.length, "figure that is", "figures that are")} a model, as nobody has published them: ${places.slice(0, shownFigures).join(", ")}${more}; moec targets ${profile.name} tells all\n`;
}
