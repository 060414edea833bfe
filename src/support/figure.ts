/** A figure of a device never comes without where it is from and how sure it is. */
import * as v from "valibot";

/** How sure a figure is, surest first. */
export const confidences = {
  vendor: "stated by the vendor: a document, a configuration file, a paper, a talk that the press reports",
  measured: "measured by a third party on the device",
  tested: "tested by the authors of this profile",
  derived: "calculated from other figures, as its source says",
  uncertain: "only second-hand, or inferred from a relative of the device",
  model: "an assumption that makes the machine model complete; nobody has published the figure",
} as const;
export type Confidence = keyof typeof confidences;
const confidenceNames = Object.keys(confidences) as Confidence[]; // Object.keys forgets the key type

/** A fact with its source and confidence. */
export type Sourced<T> = { readonly value: T; readonly source: string; readonly confidence: Confidence };
export type Figure = Sourced<number>;

/** The least sure of what a result rests on; of nothing, `derived`. */
export const leastSure = (figures: readonly Sourced<unknown>[]): Confidence =>
  figures.length === 0
    ? "derived"
    : (confidenceNames[Math.max(...figures.map((it) => confidenceNames.indexOf(it.confidence)))] ?? "model");

/** Whether a part of a profile is a fact with its source. */
export const isSourced = (it: object): it is Sourced<unknown> => "source" in it && "confidence" in it;

/** The schema of a fact whose value has the schema `value`. */
export const sourced = <S extends v.GenericSchema>(value: S) =>
  v.pipe(
    v.strictObject({
      value,
      source: v.pipe(v.string(), v.minLength(1, "a figure needs its source")),
      confidence: v.picklist(confidenceNames),
    }),
    v.readonly(),
  );

type Statement = <const T>(value: T, source: string) => Sourced<T>;
const stated =
  (confidence: Confidence): Statement =>
  (value, source) => ({ value, source, confidence });

/** Facts of each confidence, for profiles: `vendor(1850, "Ascend910B1.ini, cube_freq")`. */
export const vendor = stated("vendor");
export const measured = stated("measured");
export const tested = stated("tested");
export const derived = stated("derived");
export const uncertain = stated("uncertain");
export const model = stated("model");
