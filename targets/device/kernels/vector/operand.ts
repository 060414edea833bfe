/** The one way in which kernels of rows load what they work on: it is float32 then, whatever it was. */
import type { Profile } from "../../../../src/machine/profile.ts";
import { spaceOf, usableBytes } from "../../../../src/machine/rates.ts";
import { box, buffer, headsOf, lines, tensor, type Need, type Tile, type View } from "./tile.ts";

/** An operand that is loaded: the box where a chunk of its rows lies as float32, what loads it, and what converts it where it is not float32 yet. */
export type Operand = { readonly box: string; readonly load: string; readonly convert: string };

/** Whether the scales of all columns of sums stay in the vector unit's space beside all else: where they take little of it. */
const isHeld = (profile: Profile, { isSums, width }: View): boolean =>
  isSums === true && 4 * width <= usableBytes(spaceOf(profile, profile.vector.space)) / 6;

/** A chunk of rows of a tensor, so many copies of it under way; converted into the box `place` unless it is float32. */
export function operand(
  profile: Profile,
  name: string,
  view: View,
  tile: Tile,
  underWay: number,
  place: string,
): Operand {
  const here = `${name}0[0 : lines, 0 : cols]`;
  const isFloat = view.dtype === "f32";
  const { load, convert } = view.isSums ? scaling(profile, name, view, tile, underWay, place) : { load: "", convert: "" }; // prettier-ignore
  return {
    box: isFloat ? here : place,
    load: lines(
      buffer(profile)(`${name}0`, view.dtype, tile.rows * headsOf(view), tile.cols, underWay),
      `copy ${box(name, view)} -> ${here}`,
      load,
    ),
    convert: lines(!isFloat && `vector copy ${here} -> ${place}`, convert),
  };
}

/** The scales of a chunk of sums, and how it is multiplied by them: in the order of `integerLinear`, to the last bit. */
function scaling(
  profile: Profile,
  name: string,
  view: View,
  { rows, cols }: Tile,
  underWay: number,
  place: string,
): Omit<Operand, "box"> {
  const make = buffer(profile);
  const held = isHeld(profile, view);
  const columns = `${name}Columns[0 : 1, ${held ? "c" : "0"} : cols]`;
  const row = `${name}Row[0 : lines, 0 : 1]`;
  return {
    load: lines(
      !held && make(`${name}Columns`, "f32", 1, cols, underWay),
      !held && `copy ${name}Scales[0 : 1, c : cols] -> ${columns}`,
      make(`${name}Row`, "f32", rows, 1, underWay),
      `copy ${name}RowScales[row : rows, 0 : 1] -> ${row}`,
    ),
    convert: lines(
      `vector mulRow ${place}, ${columns} -> ${place}`,
      `vector mulColumn ${place}, ${row} -> ${place}`,
    ),
  };
}

/** The declaration of an operand that is read, and of the scales of sums. */
export const input = (name: string, view: View): string =>
  lines(
    tensor(name, view, "in"),
    view.isSums && `tensor ${name}Scales: f32[1, ${view.width}] in`,
    view.isSums && `tensor ${name}RowScales: f32[S, 1] in`,
  );

/** Before all rows: the scales of the columns of sums, where they stay. */
export const columnScales = (profile: Profile, name: string, view: View): string =>
  isHeld(profile, view)
    ? lines(
        buffer(profile)(`${name}Columns`, "f32", 1, view.width),
        `copy ${name}Scales -> ${name}Columns[0 : 1, 0 : ${view.width}]`,
      )
    : "";

/** What scales of operands take of the vector unit's space. */
export function scalesNeed(
  profile: Profile,
  views: readonly View[],
  underWay: number,
): Required<Pick<Need, "chunk" | "once" | "column">> {
  const sums = views.filter((it) => it.isSums);
  const held = sums.filter((it) => isHeld(profile, it)).length;
  return { chunk: 4 * underWay * (sums.length - held), once: 4 * held, column: underWay * sums.length };
}
