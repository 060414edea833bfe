/** Figures that carry what they rest on. */
import * as v from "valibot";

/**
 * How sure a figure is, surest first. `published`: in a vendor's own source. `measured`: by somebody on the device.
 * `given`: the user's. `inferred`: derived from others. `uncertain`: press, memory or second hand.
 */
export const confidences = ["published", "measured", "given", "inferred", "uncertain"] as const;
export type Confidence = (typeof confidences)[number];

/** A number, where it was found, and how sure it is. */
export type Figure = {
  readonly value: number;
  readonly source: string;
  readonly confidence: Confidence;
};

/** The least sure of what a result rests on. */
export const leastSure = (figures: readonly Figure[]): Confidence =>
  confidences[Math.max(0, ...figures.map((it) => confidences.indexOf(it.confidence)))] ?? "uncertain";

const positive = v.pipe(v.number(), v.minValue(Number.MIN_VALUE, "must be greater than 0"));

/** A figure in a user's file: a bare number is the user's own word. */
export const figureSchema = v.union(
  [
    v.pipe(
      positive,
      v.transform((value): Figure => ({ value, source: "the file", confidence: "given" })),
    ),
    v.strictObject({ value: positive, source: v.string(), confidence: v.picklist(confidences) }),
  ],
  "must be a number greater than 0, or {value, source, confidence}",
);
