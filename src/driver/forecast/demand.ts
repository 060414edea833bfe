/** The requests of a forecast: a prompt and its answer, as long as the model knows positions for both. */
import type { Demand } from "../../cluster/model/forecast.ts";
import { fail } from "../../support/diagnostics.ts";

/** The lengths that are asked for; the usual ones where nobody asks. */
export type AskedDemand = { readonly [K in keyof Demand]: number | undefined };

const usual: Demand = { promptLength: 4096, outputLength: 1024 };
/** The answer's share of a sequence, where the usual lengths do not fit. */
const answerShare = usual.outputLength / (usual.promptLength + usual.outputLength);

function refuse(flag: "--prompt-length" | "--output-length", found: number, most: number, of: number): never {
  const expected = `at most ${most}: prompt and answer share the ${of} positions of a sequence`;
  return fail("usage/value", { kind: "flag", flag }, flag, `${found}`, expected);
}

/** Requests whose sequences take at most `most` positions. Throws `usage/value` where longer ones are asked for. */
export function demandOf({ promptLength, outputLength }: AskedDemand, most: number): Demand {
  if (outputLength !== undefined && outputLength >= most)
    refuse("--output-length", outputLength, most - 1, most);
  const answer = outputLength ?? 1;
  if (promptLength !== undefined && promptLength + answer > most)
    refuse("--prompt-length", promptLength, most - answer, most);
  const prompt = promptLength ?? Math.min(usual.promptLength, most - (outputLength ?? Math.ceil(most * answerShare))); // prettier-ignore
  return {
    promptLength: prompt,
    outputLength: outputLength ?? Math.min(usual.outputLength, most - prompt),
  };
}
