import {
  fstore,
  get,
  helper,
  i32,
  lane,
  lanes,
  loop,
  set,
  vload,
  vstore,
  zero4,
  type Locals,
} from "../../../../src/wasm/wat.ts";

/**
 * The heart of a matrix kernel: a function for 16 rows of w times 1 or 4 rows of x. Its arguments are the block's place in
 * each part of the weight, then `bias`, then each input's place for each row, then each row's place in the output.
 */
export type Tile = {
  /** Tells it from the tiles of other matrices. */
  readonly name: string;
  /** What the weight is made of: the name of each part and the bytes of 16 rows of it. */
  readonly parts: readonly { readonly name: string; readonly blockBytes: number }[];
  /** What a row of x is made of; the first is `x`. */
  readonly inputs: readonly string[];
  /** Locals beside the addresses and the sums. */
  readonly locals: (rows: number) => Locals;
  /**
   * Code that leaves in `a<v>_<r>` the outputs of weight rows 4v to 4v + 3 and row r of x. Each part and each input's row
   * (`x0`, `x1`, …) is a local with the address of its beginning, free to be moved.
   */
  readonly sums: (vectors: readonly number[], rows: number) => string;
};

export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
export const tileName = (t: Tile, count: number, rows: number): string => `tile_${t.name}_${count}x${rows}`;

/** Names for each of four vectors and each row of x. */
export const perVector = (names: readonly string[], rows: number): readonly string[] =>
  lanes.flatMap((v) => names.flatMap((name) => range(rows).map((r) => `${name}${v}_${r}`)));

/** Every sum begins with this. */
export const startSums = (vectors: readonly number[], rows: number, start: (v: number) => string): string =>
  vectors.flatMap((v) => range(rows).map((r) => set(`a${v}_${r}`, start(v)))).join(" ");

export const biasOf = (v: number): string => vload(get("bias"), v * 16);
export const startOf = (bias: boolean): ((v: number) => string) => (bias ? biasOf : () => zero4);

/** `body` so many times; not a word where that is never. */
export const times = (counter: string, n: number, body: string): string =>
  n > 0 ? loop(counter, i32(0), i32(n), 1, body) : "";

/** The tile's function for blocks of which `count` rows exist; half a block at a time where 4 rows share it, to stay in registers. */
export function tileText(t: Tile, count: number, rows: number): string {
  const halves =
    rows === 1
      ? [[0, 1, 2, 3]]
      : [
          [0, 1],
          [2, 3],
        ];
  const places = [
    ...t.parts.map((part) => part.name),
    ...t.inputs.flatMap((input) => range(rows).map((r) => `${input}${r}`)),
  ];
  const body = halves
    .filter(([first = 0]) => first * 4 < count)
    .map((vectors) =>
      [
        ...places.map((name) => set(name, get(`${name}_at`))),
        t.sums(vectors, rows),
        ...vectors.flatMap((v) =>
          range(rows).map((r) => storeLanes(get(`o${r}`), get(`a${v}_${r}`), v * 4, count)),
        ),
      ].join(" "),
    )
    .join(" ");
  const partArgs = t.parts.map(({ name }) => `${name}_at`);
  const inputArgs = places.slice(t.parts.length).map((name) => `${name}_at`);
  const own = t.locals(rows);
  return helper(
    tileName(t, count, rows),
    [...partArgs, "bias", ...inputArgs, ...range(rows).map((r) => `o${r}`)],
    {
      ...own,
      i32: [...places, ...(own.i32 ?? [])],
      v128: [...(own.v128 ?? []), ...perVector(["a"], rows)],
    },
    body,
  );
}

/** Store a vector at element `first`, but only the elements below `count`. */
function storeLanes(address: string, vector: string, first: number, count: number): string {
  if (first + 4 <= count) return vstore(address, vector, first * 4);
  return lanes
    .filter((i) => first + i < count)
    .map((i) => fstore(address, lane(vector, i), (first + i) * 4))
    .join(" ");
}

/** The functions a matrix of n rows needs: for full blocks, and for the last one where n is not a multiple of 16. */
export function tileTexts(t: Tile, n: number): readonly (readonly [string, string])[] {
  const counts = [...(n >= 16 ? [16] : []), ...(n % 16 ? [n % 16] : [])];
  return counts.flatMap((count) =>
    [1, 4].map((rows): readonly [string, string] => [tileName(t, count, rows), tileText(t, count, rows)]),
  );
}
