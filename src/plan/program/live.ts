/** Buffers that are not needed at the same time lie over one another. */
import { byteLength } from "../../tensor/dtype.ts";
import { isLaunch, mostSize, type DeviceProgram, type DeviceStep } from "./device.ts";
import { rowsOf } from "./program.ts";

/** The first and the last step that mentions something. */
export type Span = readonly [first: number, last: number];

/** So many bytes that are needed in a span of steps. */
export type Live = { readonly name: string; readonly bytes: number; readonly span: Span };

/** Where buffers lie, and where they end. */
export type Room = { readonly at: ReadonlyMap<string, number>; readonly end: number };

/** The spans of names that are mentioned at steps. */
export function spansOf(
  mentions: Iterable<readonly [name: string, step: number]>,
): ReadonlyMap<string, Span> {
  const spans = new Map<string, Span>();
  for (const [name, step] of mentions) {
    const [first, last] = spans.get(name) ?? [step, step];
    spans.set(name, [Math.min(first, step), Math.max(last, step)]);
  }
  return spans;
}

/** Give each buffer, the largest first, the lowest address that is free over its life. */
export function placeLive(buffers: readonly Live[], base: number): Room {
  const placed: { readonly from: number; readonly to: number; readonly span: Span }[] = [];
  const at = new Map<string, number>();
  let end = base;
  for (const { name, bytes, span } of buffers.toSorted((a, b) => b.bytes - a.bytes)) {
    const [first, last] = span;
    const rivals = placed
      .filter((it) => it.span[0] <= last && first <= it.span[1])
      .sort((a, b) => a.from - b.from);
    let from = base;
    for (const rival of rivals) if (from + bytes > rival.from) from = Math.max(from, rival.to);
    placed.push({ from, to: from + bytes, span });
    at.set(name, from);
    end = Math.max(end, from + bytes);
  }
  return { at, end };
}

const buffersOf = (step: DeviceStep): readonly string[] =>
  isLaunch(step)
    ? step.operands.filter((it) => it.region === "buffer").map((it) => it.name)
    : rowsOf(step.collective).map((it) => it.buffer);

/** When a device's buffers are needed: inputs from the start, what is looked at behind the last step to the end. */
export function deviceSpans(program: DeviceProgram): ReadonlyMap<string, Span> {
  const { steps, inputs, logits, routers } = program;
  const kept = [...(logits === undefined ? [] : [logits]), ...routers.map((it) => it.buffer)];
  return spansOf([
    ...steps.flatMap((step, i) => buffersOf(step).map((name) => [name, i] as const)),
    ...[inputs.ids, inputs.positions].map((name) => [name, -1] as const),
    ...kept.map((name) => [name, steps.length] as const),
  ]);
}

/** Buffers of a device begin at multiples of as many bytes as its longest transfers are. */
const alignment = 512;

/** The room that a device's buffers take, laid out by when they are needed. */
export function deviceRoom(program: DeviceProgram, context: number): Room {
  const most = mostSize(program, context);
  const spans = deviceSpans(program);
  const live = program.buffers.flatMap(({ name, dtype, rows, cols }): Live[] => {
    const span = spans.get(name);
    const bytes = Math.ceil(byteLength(dtype, most(rows) * cols) / alignment) * alignment;
    return span ? [{ name, bytes, span }] : [];
  });
  return placeLive(live, 0);
}
