import type { CollectiveName } from "../../ir/ops/collective.ts";
import { destinationsOf } from "../../ir/dispatch.ts";
import { need, result, shapeAt, type Call, type Kernel } from "../kernel.ts";
import { floats, gatherStrided, stridesOf, type Tensor } from "../tensor.ts";
import { concatTensors } from "./shape.ts";

/** The collectives that all members of a group call alike; what one sends another receives, which is no such thing. */
export type SharedName = Exclude<CollectiveName, "send" | "recv">;

/** One rank's part in a collective: what it brings, and how its own node is called. */
export type Member<K extends SharedName> = {
  readonly operands: readonly Tensor[];
  readonly call: Call<K>;
};

/** Reference semantics of a collective: the results of every member, in the order of the group. */
export type Collective<K extends SharedName> = (
  members: readonly Member<K>[],
) => readonly (readonly Tensor[])[];

/** What a row of a rank brings to another: its slots there, -1 for those that are elsewhere, and their weights. */
type Arrival = {
  readonly from: number;
  readonly row: number;
  readonly slots: number[];
  readonly shares: number[];
};

const firsts = (members: readonly Member<SharedName>[]): readonly Tensor[] =>
  members.map(({ operands }) => need(operands, 0));

/** The sum of tensors of one shape, added up in their order. */
function sum(tensors: readonly Tensor[]): Tensor {
  const [first, ...rest] = tensors;
  if (!first) throw new Error("a collective has members");
  const data = Float32Array.from(first.data);
  for (const { data: more } of rest)
    for (let i = 0; i < data.length; i++) data[i] = (data[i] ?? 0) + (more[i] ?? 0);
  return floats(first.shape, data);
}

/** What arrives at each rank, by sender and row. */
function arrivals(members: readonly Member<"dispatch">[]): readonly (readonly Arrival[])[] {
  const [first] = members;
  const destinations = destinationsOf(first?.call.attrs.held ?? [], first?.call.attrs.starts ?? []);
  const arrived = members.map((): Arrival[] => []);
  members.forEach(({ operands }, from) => {
    const [indices, weights] = [need(operands, 1), need(operands, 2)];
    const [rows = 0, k = 0] = indices.shape;
    for (let row = 0; row < rows; row++)
      destinations(indices.data.subarray(row * k, (row + 1) * k), from, row).forEach((holder, j) => {
        if (!holder) return;
        const there = arrived[holder.member];
        const last = there?.at(-1);
        const none = { from, row, slots: Array<number>(k).fill(-1), shares: Array<number>(k).fill(0) };
        const arrival = last?.from === from && last.row === row ? last : none;
        if (arrival === none) there?.push(none);
        arrival.slots[j] = holder.slot;
        arrival.shares[j] = weights.data[row * k + j] ?? 0;
      });
  });
  return arrived;
}

export const collectives: { readonly [K in SharedName]: Collective<K> } = {
  allReduce: (members) => {
    const total = sum(firsts(members));
    return members.map(() => [total]);
  },
  reduceScatter: (members) => {
    const total = sum(firsts(members));
    const strides = stridesOf(total.shape);
    return members.map(({ call }) => {
      const { axis, begin } = call.attrs;
      return [gatherStrided(total, shapeAt(call), strides, call.bind(begin) * (strides[axis] ?? 0))];
    });
  },
  allGather: (members) =>
    members.map(({ call }) => [concatTensors(firsts(members), call.attrs.axis, shapeAt(call))]),
  dispatch: (members) => {
    const xs = firsts(members);
    const width = xs[0]?.shape[1] ?? 0;
    return arrivals(members).map((list): readonly Tensor[] => {
      const k = list[0]?.slots.length ?? members[0]?.operands[1]?.shape[1] ?? 0;
      const n = list.length;
      const rows = floats([n, width]);
      list.forEach(({ from, row }, i) =>
        rows.data.set(xs[from]?.data.subarray(row * width, (row + 1) * width) ?? [], i * width),
      );
      const slots = Int32Array.from(list.flatMap((it) => it.slots));
      const from = Int32Array.from(list.flatMap((it) => [it.from, it.row]));
      return [
        rows,
        { dtype: "i32", shape: [n, k], data: slots },
        floats([n, k], Float32Array.from(list.flatMap((it) => it.shares))),
        { dtype: "i32", shape: [n, 2], data: from },
      ];
    });
  },
  combine: (members) =>
    members.map(({ call }, to) => {
      const out = result(call);
      for (const { operands } of members) {
        const [rows, from] = [need(operands, 0), need(operands, 1)];
        const width = rows.shape[1] ?? 0;
        for (let i = 0; i < (rows.shape[0] ?? 0); i++) {
          if (from.data[2 * i] !== to) continue;
          const at = (from.data[2 * i + 1] ?? 0) * width;
          for (let j = 0; j < width; j++)
            out.data[at + j] = (out.data[at + j] ?? 0) + (rows.data[i * width + j] ?? 0);
        }
      }
      return [out];
    }),
};

const lone = (): never => {
  throw new Error("a collective of several ranks needs all of them");
};

/** A rank alone: a group of one. */
const alone =
  <K extends SharedName>(collective: Collective<K>): Kernel<K> =>
  (operands, call) => {
    const { group }: { readonly group?: unknown } = call.attrs; // every collective has one
    return Array.isArray(group) && group.length === 1 ? (collective([{ operands, call }])[0] ?? []) : lone();
  };

export const collectiveKernels: { readonly [K in CollectiveName]: Kernel<K> } = {
  allReduce: alone(collectives.allReduce),
  reduceScatter: alone(collectives.reduceScatter),
  allGather: alone(collectives.allGather),
  dispatch: alone(collectives.dispatch),
  combine: alone(collectives.combine),
  send: lone,
  recv: lone,
};
