import { matricesOf, widthOf, type GemmSpec } from "../../../device/kernels/matrix/spec.ts";
import { readIndex, type GlobalArray } from "../boxes.ts";
import type { Scope } from "../kernel.ts";
import { ceilOver, least, loop, minus, modulo, over, plus, times, type Index } from "../writer.ts";
import type { Cut } from "./cut.ts";

/** A tile of a result: `rows` from `row`, `columns` from `column`, of one of the matrices. */
export type Place = {
  readonly matrix: Index;
  readonly row: Index;
  readonly rows: Index;
  readonly column: Index;
  readonly columns: Index;
};

/** The tiles of this core, in the order in which the plan deals them out: those of one column and all rows follow each other. */
export function overTiles(scope: Scope, spec: GemmSpec, cut: Cut, body: (place: Place) => void): void {
  if (spec.experts !== undefined) return overExperts(scope, spec, spec.experts, cut, body);
  const { w, core, cores, size } = scope;
  const width = widthOf(spec);
  const across = Math.ceil(width / cut.n);
  const rowsAll = size("S");
  const down = ceilOver(w, "down", rowsAll, cut.m);
  loop(w, "t", [core, times(w, "tiles", down, across * matricesOf(spec)), cores], (t) => {
    const row = times(w, "row", modulo(w, "i", t, down), cut.m);
    const line = over(w, "j", t, down);
    const matrix = matricesOf(spec) > 1 ? over(w, "matrix", line, across) : 0;
    const column = times(w, "column", modulo(w, "j", line, across), cut.n);
    const rows = least(w, "rows", minus(w, "rows.left", rowsAll, row), cut.m);
    body({ matrix, row, rows, column, columns: columnsAt(scope, width, cut, column) });
  });
}

/** Columns of a tile: as many everywhere where they come out even. */
const columnsAt = ({ w }: Scope, width: number, { n }: Cut, column: Index): Index =>
  width % n === 0 ? n : least(w, "columns", minus(w, "columns.left", width, column), n);

/** Columns of one block of an expert's rows, of a list that has those alone which have rows. */
function overExperts(
  scope: Scope,
  spec: GemmSpec,
  experts: number,
  cut: Cut,
  body: (place: Place) => void,
): void {
  const { w, core, cores, size } = scope;
  const width = widthOf(spec);
  const across = Math.ceil(width / cut.n);
  const wholes = (name: string): GlobalArray => ({ name, element: "i32" });
  const room = plus(w, "room", over(w, "heights", size("S"), cut.height), experts);
  const count = readIndex(w, "count", wholes("blockCount"), 0);
  loop(w, "t", [core, times(w, "tasks", count, across), cores], (t) => {
    const block = over(w, "b", t, across);
    const column = times(w, "column", modulo(w, "j", t, across), cut.n);
    const columns = columnsAt(scope, width, cut, column);
    const matrix = readIndex(w, "expert", wholes("blocks"), block);
    const first = readIndex(w, "first", wholes("blocks"), plus(w, "b.row", room, block));
    const end = readIndex(w, "end", wholes("offsets"), plus(w, "expert.next", matrix, 1));
    const own = least(w, "own", minus(w, "left", end, first), cut.height);
    loop(w, "row.at", [0, own, cut.m], (at) => {
      const row = plus(w, "row", first, at);
      const rows = least(w, "rows", minus(w, "rows.left", own, at), cut.m);
      body({ matrix, row, rows, column, columns });
    });
  });
}
