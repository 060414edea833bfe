/** Weights that the vector unit makes from codes. */
import type { Profile } from "../../../../src/machine/profile.ts";
import { buffer, cast, castSteps, lines } from "../vector/tile.ts";
import type { Flow } from "./flow.ts";
import type { GemmSpec } from "./spec.ts";
import { lead } from "./tasks.ts";
import type { Tile } from "./tile.ts";

/** Codes of columns `k : depth` of `lot` rows from row n + `low`, made into what the matrix unit takes and put into `to`, `rows` at a time. */
export function makeWeights(
  profile: Profile,
  flow: Flow,
  spec: GemmSpec,
  tile: Tile,
  rows: number,
  to: (rows: string) => string,
): string {
  const { w } = spec;
  const make = buffer(profile);
  const box = (name: string): string => `${name}[0 : here, 0 : depth]`;
  const isCoded = w.kind === "coded";
  const last = isCoded && flow.weight === "f32" ? "real" : "ready";
  const through = isCoded ? "f32" : flow.weight;
  const change = (
    from: string,
    fromType: Parameters<typeof castSteps>[1],
    into: string,
    intoType: Parameters<typeof castSteps>[1],
  ): string =>
    lines(
      ...castSteps(profile, fromType, intoType).map((it) => make(`${into}_${it}`, it, rows, tile.staged.k)),
      make(into, intoType, rows, tile.staged.k, into === last ? 2 : 1),
      cast(profile, { box: box(from), dtype: fromType }, { box: box(into), dtype: intoType }, (it) =>
        box(`${into}_${it}`),
      ),
    );
  return lines(
    `for q in 0 .. lot step ${rows} {`,
    `let here = min(${rows}, lot - q)`,
    make("codes", w.dtype, rows, tile.staged.k, 2),
    `copy w[${lead(spec)}n + low + q : here, k : depth] -> ${box("codes")}`,
    change("codes", w.dtype, isCoded ? "real" : "ready", through),
    isCoded && scaled(profile, flow, spec, rows),
    isCoded && flow.weight !== "f32" && change("real", "f32", "ready", flow.weight),
    `copy ${box(last)} -> ${to("low + q : here")}`,
    "}",
  );
}

/** Copies of scales, and of zero points. Where the vector unit takes sums besides, with flags of their own, there are not flags for two. */
export const scaleCopies = ({ leaves }: Flow): number => (leaves === "vector" ? 1 : 2);

/** (code - zero) * scale, run by run of columns with one scale. */
function scaled(profile: Profile, flow: Flow, spec: GemmSpec, rows: number): string {
  const { w } = spec;
  if (w.kind !== "coded") return "";
  const make = buffer(profile);
  const column = (name: string): string => `${name}[0 : here, 0 : 1]`;
  const part = "real[0 : here, i - k : wide]";
  const load = (from: string, to: string): string =>
    lines(
      make(to, "f32", rows, 1, scaleCopies(flow)),
      `copy ${from}[${lead(spec)}i / ${w.group} : 1, n + low + q : here] -> ${column(to)} transposed`,
    );
  return lines(
    `for i in k .. k + depth step ${w.group} {`,
    `let wide = min(${w.group}, k + depth - i)`,
    w.zeros && load("zeros", "zero"),
    load("scales", "scale"),
    w.zeros && `vector subColumn ${part}, ${column("zero")} -> ${part}`,
    `vector mulColumn ${part}, ${column("scale")} -> ${part}`,
    "}",
  );
}
