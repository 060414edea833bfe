import type { Instruction } from "../schedule/walk.ts";

/** The number that a `read` finds in a tensor or buffer; timing has no data, so its caller says what there would be. */
export type Reader = (box: string, at: readonly number[]) => number;

export const readBy = (reader: Reader, { places: [place] }: Instruction): number =>
  place ? reader(place.box.decl.name, place.at) : 0;

/** What an instruction answers that is not carried out: to a `read`, the number read. */
export const answerOf = (reader: Reader, it: Instruction): number | undefined =>
  it.operation.stmt.kind === "read" ? readBy(reader, it) : undefined;
