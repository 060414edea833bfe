import { placeLive, spansOf, type Live, type Room, type Span } from "../../plan/program/live.ts";
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
function lifetimes(program: Program): ReadonlyMap<string, Span> {
  const { steps, inputs, logits, routers, kept = [] } = program;
  const mentioned = steps.map((step) => [
    ...("kernel" in step ? step.args.flatMap((it) => (it.kind === "buffer" ? [it.name] : [])) : []),
    ...("collective" in step ? rowsOf(step.collective).map((it) => it.buffer) : []),
  ]);
  const last = [...(logits === undefined ? [] : [logits]), ...routers.map((it) => it.buffer), ...kept];
  return spansOf([
    ...mentioned.flatMap((names, i) => names.map((name) => [name, i] as const)),
    ...[inputs.ids, inputs.positions, ...kept].map((name) => [name, -1] as const),
    ...last.map((name) => [name, steps.length] as const),
  ]);
}

/** Give each buffer the lowest address free over its life. */
function placeBuffers(program: Program, context: number, base: number): Room {
  const spans = lifetimes(program);
  const most = mostOf(program, context);
  const live = program.buffers.flatMap(({ name, rowBytes, rows }): Live[] => {
    const span = spans.get(name);
    // Vector loads may read up to 15 bytes past a row's end.
    return span ? [{ name, bytes: align(rowBytes * most(rows) + 16), span }] : [];
  });
  return placeLive(live, base);
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
