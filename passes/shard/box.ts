import type { Dim } from "../../src/ir/dim.ts";

/** Elements begin..end of an axis. */
export type Range = { readonly begin: Dim; readonly end: Dim };

/** Which part of a value is meant: a range for each axis that is cut. No range at all is the whole value. */
export type Box = ReadonlyMap<number, Range>;

export const whole: Box = new Map();

export const boxOf = (axis: number, range: Range): Box => new Map([[axis, range]]);

/** A box with a range more, or with one instead of another. */
export const withRange = (box: Box, axis: number, range: Range): Box => new Map([...box, [axis, range]]);

export const withoutAxis = (box: Box, axis: number): Box => new Map([...box].filter(([a]) => a !== axis));

/** Equal boxes have equal keys. */
export const boxKey = (box: Box): string =>
  [...box]
    .sort(([a], [b]) => a - b)
    .map(([axis, { begin, end }]) => `${axis}:${begin}..${end}`)
    .join(" ");

export const sameRange = (a: Range | undefined, b: Range | undefined): boolean =>
  a?.begin === b?.begin && a?.end === b?.end;

/** The whole numbers of a range that holds no named dim. */
export const numbers = ({ begin, end }: Range): readonly [begin: number, end: number] => [
  Number(begin),
  Number(end),
];
