import { rowsOf, type Cache, type Program } from "../../plan/program/program.ts";
import { mostOf, sizeTable } from "../../plan/program/sizes.ts";

/** Where everything lies in the engine's one memory, in bytes. */
export type MemoryLayout = {
  readonly control: number;
  /** The table of a call's sizes, see sizes.ts. */
  readonly sizes: number;
  readonly weights: ReadonlyMap<string, number>;
  readonly caches: ReadonlyMap<string, { readonly base: number; readonly rowBytes: number }>;
  /** By program: buffer addresses. Programs run one at a time and share the room. */
  readonly buffers: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly scratch: number;
  readonly scratchBytes: number;
  readonly totalBytes: number;
};

/** Where the words of the barrier begin, and the sizes behind them; address 0 stays unused. */
const [controlAt, sizesAt] = [64, 128];
const align = (n: number): number => Math.ceil(n / 64) * 64;

/** First and last step that mentions each buffer; inputs live from the start, logits to the end. */
function lifetimes(program: Program): ReadonlyMap<string, readonly [number, number]> {
  const spans = new Map<string, [number, number]>();
  const touch = (name: string, at: number) => {
    const span = spans.get(name);
    spans.set(name, span ? [Math.min(span[0], at), Math.max(span[1], at)] : [at, at]);
  };
  program.steps.forEach((step, i) => {
    if ("kernel" in step) for (const arg of step.args) if (arg.kind === "buffer") touch(arg.name, i);
    if ("collective" in step) for (const { buffer } of rowsOf(step.collective)) touch(buffer, i);
  });
  touch(program.inputs.ids, -1);
  touch(program.inputs.positions, -1);
  if (program.logits !== undefined) touch(program.logits, program.steps.length);
  for (const { buffer } of program.routers) touch(buffer, program.steps.length);
  for (const name of program.kept ?? []) {
    touch(name, -1);
    touch(name, program.steps.length);
  }
  return spans;
}

/** Give each buffer the lowest address free over its life. */
function placeBuffers(
  program: Program,
  context: number,
  base: number,
): { at: Map<string, number>; end: number } {
  const spans = lifetimes(program);
  const most = mostOf(program, context);
  const placed: { from: number; to: number; first: number; last: number }[] = [];
  const at = new Map<string, number>();
  let end = base;
  const sized = program.buffers.map((b) => ({
    name: b.name,
    // Vector loads may read up to 15 bytes past a row's end.
    bytes: align(b.rowBytes * most(b.rows) + 16),
    span: spans.get(b.name),
  }));
  for (const { name, bytes, span } of sized.sort((a, b) => b.bytes - a.bytes)) {
    if (!span) continue;
    const [first, last] = span;
    const rivals = placed.filter((p) => p.first <= last && first <= p.last).sort((a, b) => a.from - b.from);
    let from = base;
    for (const rival of rivals) if (from + bytes > rival.from) from = Math.max(from, rival.to);
    placed.push({ from, to: from + bytes, first, last });
    at.set(name, from);
    end = Math.max(end, from + bytes);
  }
  return { at, end };
}

/** Lay out weights, caches, buffers and a private scratch for each thread. */
export function layoutMemory(
  programs: readonly Program[],
  caches: readonly Cache[],
  weights: readonly { readonly name: string; readonly bytes: number }[],
  context: number,
  threads: number,
): MemoryLayout {
  let top = align(sizesAt + 4 * Math.max(0, ...programs.map((p) => sizeTable(p).length)));
  const take = (bytes: number): number => {
    const from = top;
    top += align(bytes);
    return from;
  };
  const weightAt = new Map(weights.map((w) => [w.name, take(w.bytes)]));
  const cacheAt = new Map(
    caches.map((c) => [c.name, { base: take(c.rowBytes * context + 16), rowBytes: c.rowBytes }]),
  );
  const placed = programs.map((p) => ({ name: p.name, ...placeBuffers(p, context, top) }));
  top = Math.max(top, ...placed.map((p) => p.end));
  const scratchBytes = align(Math.max(0, ...programs.map((p) => p.scratchBytes)) + 64);
  const scratch = take(scratchBytes * threads);
  return {
    control: controlAt,
    sizes: sizesAt,
    weights: weightAt,
    caches: cacheAt,
    buffers: new Map(placed.map((p) => [p.name, p.at])),
    scratch,
    scratchBytes,
    totalBytes: top,
  };
}
