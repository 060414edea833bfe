import { add, get, i32, kernel, loop, mul, set, sub, when } from "../../../src/wasm/wat.ts";
import { matrixOf, type Matrix } from "./matrix.ts";
import type { Spec } from "./spec.ts";
import { range, tileName } from "./tiles/tile.ts";

/**
 * Matrix kernels over packed weights (tensor/pack.ts), from tiles: 16 rows of w times 1 or 4 rows of x. Arguments begin with
 * the parts of the weight, which are `w` and, of coded weights, `scales` and `zeros` if there are any; then the inputs, which
 * are `x` or, for the integer kernels, codes `x` and `rowScales`.
 */
type Rows = {
  readonly from: string;
  readonly to: string;
  /** For each input the address of row `i` (an expression of local i32s); so for the output. */
  readonly inputs: readonly ((i: string) => string)[];
  readonly out: (i: string) => string;
};

/** All rows through block `b` of n weight rows, four at a time, then one by one. */
function block(m: Matrix, n: number, bias: string, rows: Rows): string {
  const call = (count: number, tileRows: number): string => {
    const places = m.tile.parts.map(({ name }) => get(`${name}p`));
    const row = (r: number) => add(get("r"), i32(r));
    const inputs = rows.inputs.flatMap((input) => range(tileRows).map((r) => input(row(r))));
    const outs = range(tileRows).map((r) => add(rows.out(row(r)), mul(get("b"), 64)));
    return `(call $${tileName(m.tile, count, tileRows)} ${[...places, bias, ...inputs, ...outs].join(" ")})`;
  };
  const tail = n % 16;
  const isLast = `(i32.eq ${get("b")} ${i32(Math.ceil(n / 16) - 1)})`;
  const run = (tileRows: number): string => {
    if (!tail) return call(16, tileRows);
    if (n < 16) return call(tail, tileRows);
    return `(if ${isLast} (then ${call(tail, tileRows)}) (else ${call(16, tileRows)}))`;
  };
  const fours = loop("r", rows.from, sub(rows.to, i32(3)), 4, run(4));
  const ones = `(block $end_ones (loop $top_ones (br_if $end_ones (i32.ge_s ${get("r")} ${rows.to})) ${run(1)} ${set("r", add(get("r"), i32(1)))} (br $top_ones)))`;
  return `${fours} ${ones}`;
}

/** Each part's place at block `b`, `<part>p`, where its matrix begins at `from`. */
const atBlock = (m: Matrix, from: (part: string, matrixBytes: number) => string, n: number): string =>
  m.tile.parts
    .map(({ name, blockBytes }) =>
      set(`${name}p`, add(from(name, blockBytes * Math.ceil(n / 16)), mul(get("b"), blockBytes))),
    )
    .join(" ");

const partNames = (m: Matrix): readonly string[] => m.tile.parts.map(({ name }) => name);
const partPlaces = (m: Matrix): readonly string[] => partNames(m).map((name) => `${name}p`);

/** out = x w^T (+ bias). Units are blocks of 16 outputs. */
export function linear(name: string, s: Spec<"linear" | "integerLinear">): string {
  const m = matrixOf(s);
  const rows: Rows = {
    from: i32(0),
    to: get("S"),
    inputs: m.tile.inputs.map((input, at) => (i) => add(get(input), mul(i, m.rowBytes[at] ?? 0))),
    out: (i) => add(get("out"), mul(i, s.ldo * 4)),
  };
  const bias = s.bias ? add(get("bias"), mul(get("b"), 64)) : i32(0);
  const body = `${atBlock(m, get, s.n)} ${block(m, s.n, bias, rows)}`;
  return kernel(
    name,
    [...partNames(m), ...m.tile.inputs, "bias", "out", "S"],
    { i32: ["b", "r", ...partPlaces(m)] },
    loop("b", get("begin"), get("end"), 1, body),
  );
}

/** A matrix for each head. Units are heads. */
export function headLinear(name: string, s: Spec<"headLinear">): string {
  const m = matrixOf(s);
  const rows: Rows = {
    from: i32(0),
    to: get("S"),
    inputs: [(i) => add(get("x"), mul(get("h"), s.headStrideX * 4), mul(i, s.ldx * 4))],
    out: (i) => add(get("out"), mul(get("h"), s.headStrideOut * 4), mul(i, s.ldo * 4)),
  };
  const ofHead = (part: string, matrixBytes: number) => add(get(part), mul(get("h"), matrixBytes));
  const blocks = loop(
    "b",
    i32(0),
    i32(Math.ceil(s.n / 16)),
    1,
    `${atBlock(m, ofHead, s.n)} ${block(m, s.n, i32(0), rows)}`,
  );
  return kernel(
    name,
    [...partNames(m), "x", "out", "S"],
    { i32: ["h", "b", "r", ...partPlaces(m)] },
    loop("h", get("begin"), get("end"), 1, blocks),
  );
}

/** A matrix for each expert, over the slots that chose it. Units are blocks of 16 outputs. */
export function groupedLinear(name: string, s: Spec<"groupedLinear" | "groupedIntegerLinear">): string {
  const m = matrixOf(s);
  const slot = (i: string) => `(i32.load ${add(get("order"), mul(i, 4))})`;
  const inputRow = (i: string) => `(i32.div_u ${slot(i)} ${i32(s.divisor)})`;
  const rows: Rows = {
    from: get("first"),
    to: get("last"),
    inputs: m.tile.inputs.map((input, at) => (i) => add(get(input), mul(inputRow(i), m.rowBytes[at] ?? 0))),
    out: (i) => add(get("out"), mul(slot(i), s.ldo * 4)),
  };
  const ofExpert = (part: string, matrixBytes: number) => add(get(part), mul(get("e"), matrixBytes));
  const body = `${atBlock(m, ofExpert, s.n)} ${block(m, s.n, i32(0), rows)}`;
  const at = (offset: number) => `(i32.load offset=${offset} ${add(get("counts"), mul(get("e"), 4))})`;
  const each = [
    set("first", at(0)),
    set("last", at(4)),
    when(`(i32.lt_s ${get("first")} ${get("last")})`, loop("b", get("begin"), get("end"), 1, body)),
  ].join(" ");
  return kernel(
    name,
    [...partNames(m), ...m.tile.inputs, "counts", "order", "out", "S"],
    { i32: ["e", "first", "last", "b", "r", ...partPlaces(m)] },
    loop("e", i32(0), i32(s.experts), 1, each),
  );
}
