/** What a calibrated compile tells of its quantized weights. */
import type { QuantReport } from "../../driver/calibration/store.ts";
import { bitsPerWeight, formats } from "../../tensor/format.ts";
import { counted } from "../../support/text.ts";

const worstShown = 10;

const worst = ({ matrices }: QuantReport) =>
  matrices.toSorted((a, b) => b.error - a.error).slice(0, worstShown);

/** Experts that saw fewer tokens than `least`, by layer. */
const rare = ({ coverage }: QuantReport, least: number) =>
  coverage.flatMap(({ layer, tokens }) => {
    const experts = tokens.flatMap((n, e) => (n < least ? [e] : []));
    return experts.length > 0 ? [{ layer, experts }] : [];
  });

/** Bits that a quantized weight takes on average. */
export function averageBits({ matrices }: QuantReport): number {
  let [bits, weights] = [0, 0];
  for (const { format, rows, cols } of matrices) {
    weights += rows * cols;
    bits += rows * cols * bitsPerWeight(formats[format], cols);
  }
  return weights > 0 ? bits / weights : 0;
}

/** The report as JSON. */
export const quantSummary = (report: QuantReport, least: number) => ({
  bitsPerWeight: averageBits(report),
  worst: worst(report),
  rareExperts: rare(report, least),
});

/** The report as lines of text. */
export function quantLines(report: QuantReport, least: number): string {
  const name = Math.max(...worst(report).map((it) => it.name.length), 0);
  const table = worst(report).map(
    (it) => `  ${it.name.padEnd(name)}  ${it.format.padEnd(12)} ${it.error.toExponential(2)}`,
  );
  const few = rare(report, least).map(({ layer, experts }) => `  ${layer}: ${experts.join(", ")}`);
  return [
    `${counted(report.matrices.length, "matrix", "matrices")} quantized, ${averageBits(report).toFixed(2)} bits a weight; the outputs furthest off, as a share of their mean square:`,
    ...table,
    ...(few.length > 0
      ? [`experts that saw fewer than ${counted(least, "token")} took what their layer saw:`, ...few]
      : []),
  ].join("\n");
}
