import type { Collective } from "../../plan/program/program.ts";
import type { Collect } from "../engine/execute.ts";
import { dispatcher } from "./dispatch.ts";
import type { Endpoint, Fabric } from "./fabric.ts";
import { bytesOf, floats, gathered, type Meeting } from "./meeting.ts";

type Of<K extends Collective["kind"]> = Extract<Collective, { readonly kind: K }>;

/** Columns begin..begin+width of rows that follow one another. */
function columns(all: Uint8Array, rowBytes: number, begin: number, width: number): Uint8Array {
  const rows = rowBytes === 0 ? 0 : all.byteLength / rowBytes;
  const out = new Uint8Array(rows * width);
  for (let i = 0; i < rows; i++)
    out.set(all.subarray(i * rowBytes + begin, i * rowBytes + begin + width), i * width);
  return out;
}

const lengthOf = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(new BigUint64Array([BigInt(bytes.byteLength)]).buffer);
const lengthBytes = 8;

/** How long a member's message is. */
function lengthFrom(end: Endpoint, member: number): number {
  const length = new BigUint64Array(1);
  end.take(member, 0, new Uint8Array(length.buffer));
  return Number(length[0] ?? 0n);
}

/** Make sums what can be kept where they go. */
function settle(sums: Float32Array, round: ((x: number) => number) | undefined): void {
  if (round) for (let i = 0; i < sums.length; i++) sums[i] = round(sums[i] ?? 0);
}

/** Post rows and add up those of all members in the order of the group, each sum rounded. `part` picks what is wanted of them. */
function reduced(
  { end, members }: Meeting,
  own: Uint8Array,
  part: (all: Uint8Array) => Uint8Array,
  round: ((x: number) => number) | undefined,
): Float32Array {
  end.post([own]);
  const room = new Uint8Array(own.byteLength);
  let sum: Float32Array | undefined;
  for (let m = 0; m < members; m++) {
    if (m !== end.self) end.take(m, 0, room);
    const next = floats(part(m === end.self ? own : room));
    if (!sum) sum = Float32Array.from(next);
    else {
      for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + (next[i] ?? 0);
      settle(sum, round);
    }
  }
  end.done();
  return sum ?? new Float32Array(0);
}

function allReduce(meeting: Meeting, it: Of<"allReduce">): void {
  const [from, to] = [meeting.call.place(it.from), meeting.call.place(it.to)];
  const sum = reduced(meeting, gathered(from), (all) => all, to.round);
  floats(bytesOf(to, sum.byteLength)).set(sum);
}

function reduceScatter(meeting: Meeting, it: Of<"reduceScatter">): void {
  const { place, size } = meeting.call;
  const [from, to, begin] = [place(it.from), place(it.to), size(it.begin)];
  const part = (all: Uint8Array): Uint8Array =>
    it.axis === 0
      ? all.slice(begin * from.width, (begin + to.rows) * from.width)
      : columns(all, from.width, begin * 4, to.width);
  const sum = reduced(meeting, gathered(from), part, to.round);
  floats(bytesOf(to, sum.byteLength)).set(sum);
}

function allGather(meeting: Meeting, it: Of<"allGather">): void {
  const { end, members, call } = meeting;
  const [own, to] = [gathered(call.place(it.from)), call.place(it.to)];
  end.post([lengthOf(own), own]);
  let at = 0;
  for (let m = 0; m < members; m++) {
    const length = m === end.self ? own.byteLength : lengthFrom(end, m);
    const target = it.axis === 0 ? bytesOf(to, length, at) : new Uint8Array(length);
    if (m === end.self) target.set(own);
    else end.take(m, lengthBytes, target);
    const width = it.axis === 0 || to.rows === 0 ? length : length / to.rows;
    if (it.axis === 1)
      for (let i = 0; i < to.rows; i++)
        bytesOf(to, width, i * to.stride + at).set(target.subarray(i * width, (i + 1) * width));
    at += width;
  }
  end.done();
}

/**
 * Every member posts all its rows; each takes those that came from itself, member by member. They are one run, as rows arrive by
 * sender.
 */
function combine(meeting: Meeting, it: Of<"combine">): void {
  const { end, members, call } = meeting;
  const [own, ownFrom] = [gathered(call.place(it.rows)), gathered(call.place(it.from))];
  const to = call.place(it.to);
  const { rows, width } = to;
  const out = floats(bytesOf(to, rows * width));
  out.fill(0);
  end.post([lengthOf(ownFrom), ownFrom, own]);
  for (let m = 0; m < members; m++) {
    const length = m === end.self ? ownFrom.byteLength : lengthFrom(end, m);
    const from = new Uint8Array(length);
    if (m === end.self) from.set(ownFrom);
    else end.take(m, lengthBytes, from);
    const senders = new Int32Array(from.buffer);
    const mine = (i: number): boolean => senders[2 * i] === end.self;
    let first = 0;
    while (first < senders.length / 2 && !mine(first)) first++;
    let last = first;
    while (last < senders.length / 2 && mine(last)) last++;
    const answers = new Uint8Array((last - first) * width);
    if (m === end.self) answers.set(own.subarray(first * width, last * width));
    else end.take(m, lengthBytes + length + first * width, answers);
    addRows(out, floats(answers), senders.subarray(2 * first), width / 4);
  }
  settle(out, to.round);
  end.done();
}

/** Add answers to the rows that they are for, which the senders' numbers tell. */
function addRows(out: Float32Array, answers: Float32Array, senders: Int32Array, width: number): void {
  for (let i = 0; i < answers.length / width; i++) {
    const to = (senders[2 * i + 1] ?? 0) * width;
    for (let j = 0; j < width; j++) out[to + j] = (out[to + j] ?? 0) + (answers[i * width + j] ?? 0);
  }
}

function send(meeting: Meeting, it: Of<"send">): void {
  meeting.end.post([gathered(meeting.call.place(it.from))]);
  meeting.end.done();
}

/** The receiver posts nothing, and so begins its round with an empty message. */
function receive(meeting: Meeting, it: Of<"recv">): void {
  const to = meeting.call.place(it.to);
  meeting.end.post([]);
  meeting.end.take(0, 0, bytesOf(to, to.rows * to.width));
  meeting.end.done();
}

function meet(meeting: Meeting, it: Collective, dispatch: ReturnType<typeof dispatcher>): void {
  switch (it.kind) {
    case "allReduce":
      return allReduce(meeting, it);
    case "reduceScatter":
      return reduceScatter(meeting, it);
    case "allGather":
      return allGather(meeting, it);
    case "dispatch":
      return dispatch(meeting, it);
    case "combine":
      return combine(meeting, it);
    case "send":
      return send(meeting, it);
    case "recv":
      return receive(meeting, it);
  }
}

/** Collectives over a fabric: what a rank calls at its collective steps. */
export function collectOver(fabric: Fabric): Collect {
  const dispatch = dispatcher();
  return (call) => {
    const { collective, group } = call.step;
    meet({ end: fabric.endpoint(group), members: group.length, call }, collective, dispatch);
  };
}
