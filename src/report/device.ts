/** What a plan takes on its device, as a page: time by limit and by kernel, bytes by path, and energy, which is a model. */
import { modelled } from "../machine/figures.ts";
import type { Profile } from "../machine/profile.ts";
import { limits, type Limit } from "../machine/simulate/limit.ts";
import { bytes, counted, number, time } from "../support/text.ts";
import { aboutModel, heading, page, paragraph, table } from "./html.ts";

/** The launches of a kernel together. */
export type KernelRow = {
  readonly kernel: string;
  readonly launches: number;
  readonly microseconds: number;
  readonly roofline: number;
  readonly limit: Limit;
  /** By `from to`. */
  readonly bytes: Readonly<Record<string, number>>;
  readonly memoryBytes: number;
};

/** What ranks do together. */
export type ExchangeRow = {
  readonly kind: string;
  readonly times: number;
  readonly microseconds: number;
  readonly waited: number;
};

/** A call of a phase on one of the plan's ranks. */
export type PhaseReport = {
  readonly phase: string;
  readonly tokens: number;
  readonly past: number;
  readonly rank: number;
  readonly ranks: number;
  readonly microseconds: number;
  readonly joules: number;
  readonly kernels: readonly KernelRow[];
  readonly exchanges: readonly ExchangeRow[];
  readonly profile: Profile;
};

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const duration = (microseconds: number): string => time(microseconds * 1e-6);

function grouped(entries: readonly (readonly [string, number])[]): readonly (readonly [string, number])[] {
  const sums = new Map<string, number>();
  for (const [key, n] of entries) sums.set(key, (sums.get(key) ?? 0) + n);
  return [...sums].toSorted(([, a], [, b]) => b - a);
}

/** A row an entry, with its share of the greatest drawn beside it. */
function drawn(
  entries: readonly (readonly [string, number])[],
  shown: (n: number) => string,
): readonly (readonly (string | number)[])[] {
  const most = Math.max(...entries.map(([, n]) => n));
  return entries.map(([key, n]) => [key, shown(n), n / most]);
}

function byLimit({ kernels, microseconds }: PhaseReport): string {
  const rows = grouped(kernels.map((it) => [it.limit, it.microseconds]));
  const columns = [
    { head: "limit", kind: "text" },
    { head: "time", kind: "figure" },
    { head: "of all", kind: "figure" },
    { head: "", kind: "bar" },
    { head: "what it means", kind: "text" },
  ] as const;
  const meaning: Readonly<Record<string, string>> = limits;
  return table(columns, rows.map(([limit, it]) => [limit, duration(it), percent(it / microseconds), it / microseconds, meaning[limit] ?? ""])); // prettier-ignore
}

function byKernel({ kernels, microseconds }: PhaseReport): string {
  const columns = [
    { head: "time", kind: "figure" },
    { head: "of all", kind: "figure" },
    { head: "", kind: "bar" },
    { head: "of roofline", kind: "figure" },
    { head: "times", kind: "figure" },
    { head: "limit", kind: "text" },
    { head: "memory", kind: "figure" },
    { head: "kernel", kind: "code" },
  ] as const;
  const most = Math.max(...kernels.map((it) => it.microseconds));
  return table(
    columns,
    kernels.map((it) => [
      duration(it.microseconds),
      percent(it.microseconds / microseconds),
      it.microseconds / most,
      percent(it.roofline),
      number(it.launches),
      it.limit,
      bytes(Math.round(it.memoryBytes)),
      it.kernel,
    ]),
  );
}

function byPath({ kernels }: PhaseReport): string {
  const paths = grouped(kernels.flatMap((it) => Object.entries(it.bytes).map(([path, n]) => [path.replace(" ", " to "), n] as const))); // prettier-ignore
  const memory = kernels.reduce((n, it) => n + it.memoryBytes, 0);
  const columns = [
    { head: "path", kind: "code" },
    { head: "bytes", kind: "figure" },
    { head: "", kind: "bar" },
  ] as const;
  return `${table(
    columns,
    drawn(paths, (n) => bytes(Math.round(n))),
  )}\n${paragraph(`Of these ${bytes(Math.round(memory))} come from the chip's memory or go to it; the rest its cache serves, or it stays in the core.`)}`;
}

function exchanged({ exchanges, microseconds }: PhaseReport): readonly string[] {
  if (exchanges.length === 0) return [];
  const columns = [
    { head: "exchange", kind: "text" },
    { head: "times", kind: "figure" },
    { head: "time", kind: "figure" },
    { head: "of all", kind: "figure" },
    { head: "waiting", kind: "figure" },
  ] as const;
  const rows = exchanges.map((it) => [it.kind, number(it.times), duration(it.microseconds), percent(it.microseconds / microseconds), duration(it.waited)]); // prettier-ignore
  return [heading(3, "Exchanges with other ranks"), table(columns, rows)];
}

function phaseOf(it: PhaseReport): readonly string[] {
  const { phase, tokens, past, rank, ranks, microseconds, joules, kernels, profile } = it;
  const launches = kernels.reduce((n, of) => n + of.launches, 0);
  const on = ranks > 1 ? `rank ${rank} of ${ranks}` : "the device";
  return [
    heading(2, `${phase} of ${counted(tokens, "token")}${past > 0 ? ` behind ${counted(past, "position")}` : ""}`), // prettier-ignore
    paragraph(
      `${duration(microseconds)} in ${counted(launches, "launch", "launches")} on ${on}, ${profile.name}.`,
    ),
    aboutModel(`Energy: ${joules.toPrecision(3)} J${ranks > 1 ? " of all ranks" : ""}. This is a model: nobody has published what an operation or a byte costs on this chip.`), // prettier-ignore
    heading(3, "Time by limit"),
    byLimit(it),
    heading(3, "Time by kernel"),
    byKernel(it),
    heading(3, "Bytes by path"),
    byPath(it),
    ...exchanged(it),
  ];
}

/** The page of a plan, its phases in order. */
export function deviceReport(title: string, phases: readonly PhaseReport[]): string {
  const profiles = new Map(phases.map(({ profile }) => [profile.name, profile]));
  const models = [...profiles.values()].flatMap((profile) => {
    const { time: places } = modelled(profile);
    return places.length > 0
      ? [aboutModel(`Times on ${profile.name} rest on ${counted(places.length, "figure that is", "figures that are")} a model, as nobody has published them: ${places.join(", ")}.`)] // prettier-ignore
      : [];
  });
  return page(title, [
    heading(1, title),
    paragraph("Times are of the simulated device, kernel by kernel."),
    ...models,
    ...phases.flatMap(phaseOf),
  ]);
}
