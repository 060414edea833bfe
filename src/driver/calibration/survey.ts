import type { Func } from "../../ir/graph.ts";
import { segmentFunc, segments } from "../../quant/segments/segments.ts";
import { observe, withTaps, type FormatChoice, type Tapped } from "./observe.ts";
import { runSegment, type SegmentRun } from "./run-segment.ts";
import type { Activations } from "./segment-code.ts";
import type { Seen } from "./statistics.ts";

/** Show what the products of a model multiply, segment by segment, with nothing quantized. */
export async function survey(
  func: Func,
  choose: FormatChoice,
  run: SegmentRun,
  show: (tapped: Tapped, seen: readonly Seen[]) => void,
): Promise<void> {
  let carried: readonly Activations[] = run.windows.map(() => new Map());
  for (const segment of segments(func)) {
    const tapped = withTaps(func, segment, choose);
    if (tapped.taps.length > 0) show(tapped, await observe(func, tapped, run, carried));
    if (!segment.output) return;
    const whole = segmentFunc(func, segment, [{ name: "x", value: segment.output }]);
    const next: Activations[] = [];
    await runSegment(whole, run, carried, (result, window) => (next[window] = result));
    carried = next;
  }
}
