/** Attention as the cores of a group share it. */
import { globalSpace } from "../../../../src/machine/profile.ts";
import { lines } from "../vector/tile.ts";
import { overChunks, overItems, overKeys, shareText, type Cut } from "./cut.ts";
import { queryText, scoresText, valuesText } from "./matrix-text.ts";
import { stageOf } from "./tile.ts";
import { beginText, endText, onceText, softmaxText, updateText } from "./vector-text.ts";

export const late = "let late = lines * min(1, last)";

/** Cores that have both units: tiles go from one to the other. */
export const fusedPart = (cut: Cut): string =>
  lines(
    `on ${cut.profile.vector.core} {`,
    onceText(cut),
    overItems(
      cut,
      lines(
        shareText(cut),
        queryText(cut),
        beginText(cut),
        overKeys(
          cut,
          lines(
            scoresText(cut),
            softmaxText(cut, "sc[0 : live, 0 : n]"),
            cut.make("p1"),
            "copy p[0 : live, 0 : n] -> p1[0 : live, 0 : n]",
            late,
            valuesText(cut, `p1#${cut.tile.lag}`, updateText(cut, "oc[0 : late, 0 : some]")),
          ),
        ),
        endText(cut),
      ),
    ),
    "}",
  );

/** The engine of a core that copies between two spaces. */
export const engine = ({ profile }: Cut, core: string, from: string, to: string): string =>
  profile.paths.find((it) => it.core === core && it.from === from && it.to === to)?.engine ?? "";

/** Signals between split cores: scores are there (0), weights are there (1), sums are there (2). Weights are awaited some turns after they are given. */
export const repeated = (cut: Cut, text: string): string => lines(...Array.from({ length: cut.tile.lag }, () => text)); // prettier-ignore

/** Cores with a matrix unit only: tiles go through scratch. */
export function matrixPart(cut: Cut): string {
  const { profile, tile, chunks } = cut;
  const { core, c } = profile.matrix;
  const drain = engine(cut, core, c, globalSpace);
  const weights = `await ${profile.vector.core} -> ${engine(cut, core, globalSpace, stageOf(profile))} #1`;
  return lines(
    `on ${core} {`,
    overItems(
      cut,
      lines(
        queryText(cut),
        overKeys(
          cut,
          lines(
            scoresText(cut),
            "copy sc[0 : rows, 0 : n] -> scores[slot : rows, 0 : n]",
            `signal ${drain} -> ${profile.vector.core} #0`,
            weights,
            cut.make("p1"),
            `copy probs[lastSlot * ${tile.rows} : rows, 0 : last] -> p1[0 : rows, 0 : last]`,
            "let ready = rows * min(1, last)",
            valuesText(cut, "p1", `copy oc[0 : ready, 0 : some] -> sums[lastSlot * ${chunks} + w / ${tile.columns}, 0 : ready, 0 : some]`), // prettier-ignore
            `signal ${drain} -> ${profile.vector.core} #2`,
          ),
        ),
      ),
    ),
    repeated(cut, weights),
    "}",
  );
}

/** Cores with a vector unit only, each with its share of the rows. */
export function vectorPart(cut: Cut): string {
  const { profile, tile, chunks } = cut;
  const { core, space } = profile.vector;
  const take = engine(cut, core, globalSpace, space);
  const weights = `signal ${engine(cut, core, space, globalSpace)} -> ${profile.matrix.core} #1`;
  const sums = `sums[lastSlot * ${chunks} + w / ${tile.columns}, line : late, 0 : some]`;
  return lines(
    `on ${core} {`,
    onceText(cut),
    repeated(cut, weights),
    overItems(
      cut,
      lines(
        shareText(cut),
        beginText(cut),
        overKeys(
          cut,
          lines(
            `await ${profile.matrix.core} -> ${take} #0`,
            softmaxText(cut, "scores[slot + line : live, 0 : n]"),
            "copy p[0 : live, 0 : n] -> probs[slot + line : live, 0 : n]",
            weights,
            `await ${profile.matrix.core} -> ${take} #2`,
            late,
            overChunks(cut, updateText(cut, sums)),
          ),
        ),
        endText(cut),
      ),
    ),
    "}",
  );
}
