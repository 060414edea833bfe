import { loop } from "./boxes.ts";
import { matricesOf, type MatmulSpec } from "./spec.ts";
import { constant, inside, type Lines, type Size } from "./text.ts";

const ceil = (a: number, b: number): number => Math.ceil(a / b);
const min = (name: string, left: string, most: string): string =>
  `%${name} = arith.minsi %${left}, %${most} : index`;

/** How many of a tile's columns there are: all of them where the tiles come out even. */
export const columnsOf = ({ n, tile }: MatmulSpec): Size => (n % tile.n === 0 ? tile.n : "%columns");
export const depthOf = ({ k, tile }: MatmulSpec): Size => (k % tile.k === 0 ? tile.k : "%depth");

/** The sizes that every kernel knows. */
export const sizeConstants = ({ rows, n, k, tile }: MatmulSpec): Lines => [
  constant("zero", 0),
  constant("one", 1),
  constant("n", n),
  constant("k", k),
  constant("tile.m", tile.m),
  constant("tile.n", tile.n),
  constant("tile.k", tile.k),
  constant("across", ceil(n, tile.n)),
  ...(rows.kind === "one" ? [] : [constant("matrices", rows.matrices), constant("matrix.size", n * k)]),
];

/** This core and how many there are: cores take tiles in turn. */
const cores: Lines = [
  "%core = arith.index_cast %program.x : i32 to index",
  "%cores = arith.index_cast %programs.x : i32 to index",
];

/** Where a tile's columns begin, and how many it has at the edge. */
const columns = (spec: MatmulSpec): Lines => [
  "%column = arith.muli %j, %tile.n : index",
  ...(columnsOf(spec) === spec.tile.n
    ? []
    : ["%columns.left = arith.subi %n, %column : index", min("columns", "columns.left", "tile.n")]),
];

/** Where a tile's rows begin after `first`, and how many there are before `end`. */
const rowsBetween = (first: string, end: string): Lines => [
  "%row.in = arith.muli %i, %tile.m : index",
  `%row = arith.addi %${first}, %row.in : index`,
  `%rows.left = arith.subi %${end}, %row : index`,
  min("rows", "rows.left", "tile.m"),
];

const fromArgument: Lines = [
  "%rows.all = arith.index_cast %rows.given : i32 to index",
  "%down = arith.ceildivui %rows.all, %tile.m : index",
];

const inPlane = (index: string): Lines => [
  `%i = arith.divui %${index}, %across : index`,
  `%j = arith.remui %${index}, %across : index`,
];

/**
 * The loops that give this core its tiles. `body` finds %row, %rows, %column and, at an edge, %columns; with several matrices also
 * %matrix.
 */
export function eachTile(spec: MatmulSpec, body: Lines): Lines {
  switch (spec.rows.kind) {
    case "one":
      return [
        ...cores,
        ...fromArgument,
        "%tiles = arith.muli %down, %across : index",
        ...loop("t", "core", "tiles", "cores", [
          ...inPlane("t"),
          ...rowsBetween("zero", "rows.all"),
          ...columns(spec),
          ...body,
        ]),
      ];
    case "heads":
      return [
        ...cores,
        ...fromArgument,
        "%tiles.each = arith.muli %down, %across : index",
        "%tiles = arith.muli %tiles.each, %matrices : index",
        ...loop("t", "core", "tiles", "cores", [
          "%matrix = arith.divui %t, %tiles.each : index",
          "%t.in = arith.remui %t, %tiles.each : index",
          ...inPlane("t.in"),
          ...rowsBetween("zero", "rows.all"),
          ...columns(spec),
          ...body,
        ]),
      ];
    case "grouped": {
      const offsets = `memref<${matricesOf(spec.rows) + 1}xi32, strided<[1]>>`;
      return [
        ...cores,
        `%offsets.view = memref.reinterpret_cast %offsets to offset: [0], sizes: [${matricesOf(spec.rows) + 1}], strides: [1] : memref<?xi32> to ${offsets}`,
        // The tiles of all groups form one line: a core goes on in the next group where its turn falls.
        "%last = scf.for %matrix = %zero to %matrices step %one iter_args(%first = %core) -> (index) {",
        ...inside([
          "%matrix.next = arith.addi %matrix, %one : index",
          `%begin.read = memref.load %offsets.view[%matrix] : ${offsets}`,
          `%end.read = memref.load %offsets.view[%matrix.next] : ${offsets}`,
          "%begin = arith.index_cast %begin.read : i32 to index",
          "%end = arith.index_cast %end.read : i32 to index",
          "%rows.group = arith.subi %end, %begin : index",
          "%down = arith.ceildivui %rows.group, %tile.m : index",
          "%tiles = arith.muli %down, %across : index",
          ...loop("t", "first", "tiles", "cores", [
            ...inPlane("t"),
            ...rowsBetween("begin", "end"),
            ...columns(spec),
            ...body,
          ]),
          "%ahead = arith.subi %first, %tiles : index",
          "%behind = arith.remsi %ahead, %cores : index",
          "%wrapped = arith.addi %behind, %cores : index",
          "%next = arith.remsi %wrapped, %cores : index",
          "scf.yield %next : index",
        ]),
        "}",
      ];
    }
  }
}
