/** Text of MLIR as it is written: values with names of their own, index arithmetic, loops. */

/** A number known when the kernel is made, or the name of an index of the kernel's. */
export type Index = number | `%${string}`;

export type Writer = {
  /** A name that nothing has yet. */
  readonly fresh: (hint: string) => `%${string}`;
  readonly line: (text: string) => void;
  /** Adds `%hint = text`. */
  readonly value: (hint: string, text: string) => `%${string}`;
  /** Adds lines further in, between two. */
  readonly block: (open: string, body: () => void, close: string) => void;
  readonly lines: () => readonly string[];
};

export function writer(): Writer {
  const used = new Map<string, number>();
  let lines: string[] = [];
  const line = (text: string): void => void lines.push(text);
  const fresh = (hint: string): `%${string}` => {
    const count = (used.get(hint) ?? 0) + 1;
    used.set(hint, count);
    return count === 1 ? `%${hint}` : `%${hint}_${count}`;
  };
  return {
    fresh,
    line,
    value: (hint, text) => {
      const name = fresh(hint);
      line(`${name} = ${text}`);
      return name;
    },
    block: (open, body, close) => {
      const outer = lines;
      lines = [];
      body();
      const inner = lines;
      lines = outer;
      lines.push(open, ...inner.map((it) => `  ${it}`), close);
    },
    lines: () => lines,
  };
}

/** An index as a value. */
export const indexValue = (w: Writer, it: Index): `%${string}` =>
  typeof it === "number" ? w.value(`c${it}`, `arith.constant ${it} : index`) : it;

const folded =
  (op: string, fold: (a: number, b: number) => number, neutral?: number) =>
  (w: Writer, hint: string, a: Index, b: Index): Index => {
    if (typeof a === "number" && typeof b === "number") return fold(a, b);
    if (b === neutral) return a;
    const [left, right] = [indexValue(w, a), indexValue(w, b)];
    return w.value(hint, `arith.${op} ${left}, ${right} : index`);
  };

export const plus = folded("addi", (a, b) => a + b, 0);
export const minus = folded("subi", (a, b) => a - b, 0);
export const times = folded("muli", (a, b) => a * b, 1);
export const over = folded("divui", (a, b) => Math.floor(a / b), 1);
export const modulo = folded("remui", (a, b) => a % b);
export const ceilOver = folded("ceildivui", (a, b) => Math.ceil(a / b), 1);
export const least = folded("minsi", (a, b) => Math.min(a, b));

/** The sum of products, each of an index and a number: where something lies in an array. */
export function offsetOf(w: Writer, hint: string, ...terms: readonly (readonly [Index, Index])[]): Index {
  const parts = terms.map(([at, stride]) => times(w, hint, at, stride)).filter((it) => it !== 0);
  return parts.reduce<Index>((sum, it) => (sum === 0 ? it : plus(w, hint, sum, it)), 0);
}

/**
 * `for NAME = from to to step step`. Around work of the cube and the vector cores together, loops start at zero, or with the tiles of a core: others the
 * compiler parts unevenly between the two, and they wait for each other in vain.
 */
export function loop(
  w: Writer,
  hint: string,
  [from, to, step]: readonly [Index, Index, Index],
  body: (at: `%${string}`) => void,
): void {
  const bounds = [from, to, step].map((it) => indexValue(w, it));
  const at = w.fresh(hint);
  w.block(`scf.for ${at} = ${bounds[0]} to ${bounds[1]} step ${bounds[2]} {`, () => body(at), "}");
}

/** A value that a loop carries from turn to turn. */
export type Carried = { readonly name: `%${string}`; readonly type: string };

/** A loop whose values each turn takes and gives anew. */
export function carrying(
  w: Writer,
  hint: string,
  [from, to, step]: readonly [Index, Index, Index],
  first: readonly Carried[],
  body: (at: `%${string}`, current: readonly Carried[]) => readonly Carried[],
): readonly Carried[] {
  const bounds = [from, to, step].map((it) => indexValue(w, it));
  const at = w.fresh(hint);
  const types = first.map((it) => it.type);
  const current = first.map(({ name, type }) => ({
    name: w.fresh(name.slice(1).replace(/(_\d+|#\d+)$/, "")),
    type,
  }));
  const result = w.fresh(`${hint}.out`);
  const arguments_ = current.map((it, i) => `${it.name} = ${first[i]?.name ?? ""}`).join(", ");
  const header = `${result}${first.length > 1 ? `:${first.length}` : ""} = scf.for ${at} = ${bounds[0]} to ${bounds[1]} step ${bounds[2]} iter_args(${arguments_}) -> (${types.join(", ")}) {`;
  w.block(
    header,
    () => {
      const last = body(at, current);
      w.line(`scf.yield ${last.map((it) => it.name).join(", ")} : ${types.join(", ")}`);
    },
    "}",
  );
  return first.map(({ type }, i) => ({ name: first.length > 1 ? `${result}#${i}` : result, type }) as const);
}

/** Lines for where one index compares to another so, `how` such as `eq`. */
export function when(w: Writer, how: string, a: Index, b: Index, body: () => void): void {
  const [left, right] = [indexValue(w, a), indexValue(w, b)];
  w.block(`scf.if ${w.value("is", `arith.cmpi ${how}, ${left}, ${right} : index`)} {`, body, "}");
}
