import type { Value } from "../../../../ir/graph.ts";
import { sameType } from "../../../../ir/types.ts";
import {
  axisOf,
  dimOf,
  fixedDim,
  graphOf,
  intsOf,
  isValue,
  mul,
  rankOf,
  reshape,
  select,
  slice,
  unsupported,
  type Item,
  type LoweringContext,
  type LoweringTable,
} from "../../lowering/context.ts";
import type { OnnxGraph } from "../../model.ts";

/** Loops are written out; more rounds than this would be no graph to work with. */
const mostRounds = 4096;

const bodyOf = (cx: LoweringContext, name: string): OnnxGraph =>
  graphOf(cx, name) ?? unsupported(`it has no ${name}`);

const value = (item: Item | undefined, what: string): Value =>
  isValue(item) ? item : unsupported(`${what} is no tensor`);

/** One of two items by a condition that only the run tells. */
function choose(cx: LoweringContext, condition: Value, yes: Item, no: Item): Item {
  if (!isValue(yes) || !isValue(no) || !sameType(yes.type, no.type))
    return unsupported("its branches differ in type, and the condition is not known before it runs");
  return select(cx, condition, yes, no);
}

const scalarOf = (cx: LoweringContext, condition: Value): Value =>
  rankOf(condition) === 0 ? condition : reshape(cx, condition, []);

/** A branch whose condition is known; else both, and the outputs of one. */
function branch(cx: LoweringContext): readonly Item[] {
  const condition = cx.input(0);
  const known = cx.known(condition)?.[0];
  const run = (name: string): readonly Item[] => cx.body(bodyOf(cx, name), []);
  if (known !== undefined) return run(known !== 0 ? "then_branch" : "else_branch");
  const [yes, no] = [run("then_branch"), run("else_branch")];
  return yes.map((item, i) => choose(cx, scalarOf(cx, condition), item, no[i] ?? item));
}

/** Slices one after another along a new first axis. */
function stacked(cx: LoweringContext, parts: readonly Item[]): Item {
  const rows = parts.map((part) => {
    const x = value(part, "a scanned output");
    return reshape(cx, x, [1, ...x.type.dims]);
  });
  const [first] = rows;
  if (!first) return unsupported("it runs no round, so the shape of its output is not known");
  return rows.length === 1 ? first : cx.op("concat", rows, { axis: 0 });
}

/** A loop written out: rounds are known from the trip count, or from a condition that is known in every round. */
function loop(cx: LoweringContext): readonly Item[] {
  const body = bodyOf(cx, "body");
  const trips = cx.item(0) ? cx.known(cx.optional(0))?.[0] : Infinity;
  if (trips === undefined) return unsupported("its number of rounds is not known before it runs");
  let going: Value | undefined = cx.optional(1);
  let state: readonly Item[] = cx.node.inputs
    .slice(2)
    .map((_, i) => cx.item(i + 2) ?? unsupported("an input of it is left out"));
  const scanned: Item[][] = body.outputs.slice(1 + state.length).map(() => []);
  let round = 0;
  for (; round < trips; round++) {
    const known: number | undefined = going === undefined ? 1 : cx.known(going)?.[0];
    if (known === 0) break;
    if (known === undefined && (trips === Infinity || scanned.length > 0))
      return unsupported("its condition is not known before it runs");
    if (round >= mostRounds) return unsupported(`it runs more than ${mostRounds} rounds`);
    const count = cx.op("constant", [], { dtype: "i64", dims: [], values: [round] });
    const now = going ?? cx.op("constant", [], { dtype: "bool", dims: [], values: [1] });
    const [next, ...rest] = cx.body(body, [count, now, ...state]);
    const before = state;
    const after = rest.slice(0, state.length);
    const open = going;
    state =
      known === undefined && open
        ? after.map((item, i) => choose(cx, scalarOf(cx, open), item, before[i] ?? item))
        : after;
    rest.slice(state.length).forEach((item, i) => scanned[i]?.push(item));
    const condition = value(next, "its condition");
    going = known === undefined && open ? mul(cx, open, condition) : condition;
  }
  return [...state, ...scanned.map((parts) => stacked(cx, parts))];
}

/** A scan over axes of known size, written out. Opset 8 had a batch axis in front of everything. */
function scan(cx: LoweringContext): readonly Item[] {
  const body = bodyOf(cx, "body");
  if (cx.opset < 9) return scanBatch(cx, body);
  const given = cx.node.attributes.get("num_scan_inputs");
  const count = given?.kind === "int" ? given.value : 0;
  const carried = cx.node.inputs.length - count;
  const initial = Array.from({ length: carried }, (_, i) => cx.input(i));
  const inputs = Array.from({ length: count }, (_, i) => cx.input(carried + i));
  const axes = intsOf(cx, "scan_input_axes") ?? inputs.map(() => 0);
  const { state, outputs } = scanOver(
    cx,
    body,
    initial,
    inputs,
    axes,
    intsOf(cx, "scan_input_directions") ?? [],
  );
  const outAxes = intsOf(cx, "scan_output_axes") ?? [];
  const backwards = intsOf(cx, "scan_output_directions") ?? [];
  const joined = outputs.map((parts, i) => {
    const ordered = backwards[i] === 1 ? parts.toReversed() : parts;
    const stack = value(stacked(cx, ordered), "a scanned output");
    const axis = axisOf(outAxes[i] ?? 0, rankOf(stack));
    if (axis === 0) return stack;
    const perm = stack.type.dims.map((_, a) => a).slice(1);
    return cx.op("transpose", [stack], { perm: perm.toSpliced(axis, 0, 0) });
  });
  return [...state, ...joined];
}

function scanOver(
  cx: LoweringContext,
  body: OnnxGraph,
  initial: readonly Item[],
  inputs: readonly Value[],
  axes: readonly number[],
  directions: readonly number[],
): { readonly state: readonly Item[]; readonly outputs: readonly (readonly Item[])[] } {
  const axisAt = (x: Value, i: number): number => axisOf(axes[i] ?? 0, rankOf(x));
  const [first] = inputs;
  const rounds = first ? fixedDim(dimOf(first, axisAt(first, 0)), "the scanned axis") : 0;
  if (rounds > mostRounds) return unsupported(`it runs more than ${mostRounds} rounds`);
  let state = initial;
  const outputs: Item[][] = body.outputs.slice(initial.length).map(() => []);
  for (let round = 0; round < rounds; round++) {
    const slices = inputs.map((x, i) => {
      const axis = axisAt(x, i);
      const at = directions[i] === 1 ? rounds - 1 - round : round;
      return reshape(cx, slice(cx, x, axis, at, at + 1), x.type.dims.toSpliced(axis, 1));
    });
    const results = cx.body(body, [...state, ...slices]);
    state = results.slice(0, initial.length);
    results.slice(initial.length).forEach((item, i) => outputs[i]?.push(item));
  }
  return { state, outputs };
}

/** Scan-8: one scan for each of the batch; sequence lengths must be left out. */
function scanBatch(cx: LoweringContext, body: OnnxGraph): readonly Item[] {
  if (cx.item(0)) return unsupported("it has sequence lengths");
  const given = cx.node.attributes.get("num_scan_inputs");
  const count = given?.kind === "int" ? given.value : 0;
  const all = cx.node.inputs.slice(1).map((_, i) => cx.input(i + 1));
  const batch = all[0] ? fixedDim(dimOf(all[0], 0), "the batch") : 0;
  const runs = Array.from({ length: batch }, (_, b) => {
    const own = all.map((x) => reshape(cx, slice(cx, x, 0, b, b + 1), x.type.dims.slice(1)));
    const inputs = own.slice(own.length - count);
    const { state, outputs } = scanOver(
      cx,
      body,
      own.slice(0, own.length - count),
      inputs,
      inputs.map(() => 0),
      [],
    );
    return [...state, ...outputs.map((parts) => stacked(cx, parts))];
  });
  return (runs[0] ?? []).map((_, i) =>
    stacked(
      cx,
      runs.map((run) => run[i] ?? unsupported("a batch gave no output")),
    ),
  );
}

export const control: LoweringTable = { If: branch, Loop: loop, Scan: scan };
