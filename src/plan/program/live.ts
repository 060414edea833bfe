/** Buffers that are not needed at the same time lie over one another. */
import {
  isLaunch,
  type DeviceBuffer,
  type DeviceProgram,
  type DeviceStep,
  type LooseProgram,
} from "./device.ts";
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
export function deviceSpans(program: Omit<DeviceProgram, "buffers">): ReadonlyMap<string, Span> {
  const { steps, inputs, logits, routers } = program;
  const kept = [...(logits === undefined ? [] : [logits]), ...routers.map((it) => it.buffer)];
  return spansOf([
    ...steps.flatMap((step, i) => buffersOf(step).map((name) => [name, i] as const)),
    ...[inputs.ids, inputs.positions].map((name) => [name, -1] as const),
    ...kept.map((name) => [name, steps.length] as const),
  ]);
}

/** Regions of a device's memory begin at multiples of as many bytes as its longest transfers are. */
const alignment = 512;

/** So many bytes with those up to where the next region may begin. */
export const aligned = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

/** A program whose buffers lie where they are needed, given the most bytes that each takes; those that nothing mentions are left out. */
export function placed(program: LooseProgram, bytesOf: (buffer: DeviceBuffer) => number): DeviceProgram {
  const spans = deviceSpans(program);
  const live = program.buffers.flatMap((it): readonly (Live & DeviceBuffer)[] => {
    const span = spans.get(it.name);
    const bytes = aligned(bytesOf(it));
    return span ? [{ ...it, bytes, span }] : [];
  });
  const { at: places } = placeLive(live, 0);
  const buffers = live.map(({ span: _, ...it }) => ({ ...it, at: places.get(it.name) ?? 0 }));
  return { ...program, buffers };
}

/** The bytes of the workspace that a program needs. */
export const workspaceOf = ({ buffers }: DeviceProgram): number =>
  Math.max(0, ...buffers.map((it) => it.at + it.bytes));
