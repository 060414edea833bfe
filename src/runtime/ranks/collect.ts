import type { Collective } from "../../plan/program/program.ts";
import type { Collect } from "../engine/execute.ts";
import { dispatcher } from "./dispatch.ts";
import type { Endpoint, Fabric } from "./fabric.ts";
import { bytesAt, floats, gathered, type Meeting } from "./meeting.ts";

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

/** Post rows and add up those of all members in the order of the group. `part` picks what is wanted of them. */
function reduced(
  { end, members }: Meeting,
  own: Uint8Array,
  part: (all: Uint8Array) => Uint8Array,
): Float32Array {
  end.post([own]);
  const room = new Uint8Array(own.byteLength);
  let sum: Float32Array | undefined;
  for (let m = 0; m < members; m++) {
    if (m !== end.self) end.take(m, 0, room);
    const next = floats(part(m === end.self ? own : room));
    if (!sum) sum = Float32Array.from(next);
    else for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + (next[i] ?? 0);
  }
  end.done();
  return sum ?? new Float32Array(0);
}

function allReduce(meeting: Meeting, it: Of<"allReduce">): void {
  const { place } = meeting.call;
  const sum = reduced(meeting, gathered(meeting, place(it.from)), (all) => all);
  floats(bytesAt(meeting, place(it.to).at, sum.byteLength)).set(sum);
}

function reduceScatter(meeting: Meeting, it: Of<"reduceScatter">): void {
  const { place, size } = meeting.call;
  const [from, to, begin] = [place(it.from), place(it.to), size(it.begin)];
  const part = (all: Uint8Array): Uint8Array =>
    it.axis === 0
      ? all.slice(begin * from.width, (begin + to.rows) * from.width)
      : columns(all, from.width, begin * 4, to.width);
  const sum = reduced(meeting, gathered(meeting, from), part);
  floats(bytesAt(meeting, to.at, sum.byteLength)).set(sum);
}

function allGather(meeting: Meeting, it: Of<"allGather">): void {
  const { end, members, call } = meeting;
  const own = gathered(meeting, call.place(it.from));
  const to = call.place(it.to);
  end.post([lengthOf(own), own]);
  let at = 0;
  for (let m = 0; m < members; m++) {
    const length = m === end.self ? own.byteLength : lengthFrom(end, m);
    const target = it.axis === 0 ? bytesAt(meeting, to.at + at, length) : new Uint8Array(length);
    if (m === end.self) target.set(own);
    else end.take(m, lengthBytes, target);
    const width = it.axis === 0 || to.rows === 0 ? length : length / to.rows;
    if (it.axis === 1)
      for (let i = 0; i < to.rows; i++)
        bytesAt(meeting, to.at + i * to.stride + at, width).set(target.subarray(i * width, (i + 1) * width));
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
  const own = gathered(meeting, call.place(it.rows));
  const ownFrom = gathered(meeting, call.place(it.from));
  const { at, rows, width } = call.place(it.to);
  const out = floats(bytesAt(meeting, at, rows * width));
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
  meeting.end.post([gathered(meeting, meeting.call.place(it.from))]);
  meeting.end.done();
}

/** The receiver posts nothing, and so begins its round with an empty message. */
function receive(meeting: Meeting, it: Of<"recv">): void {
  const { at, rows, width } = meeting.call.place(it.to);
  meeting.end.post([]);
  meeting.end.take(0, 0, bytesAt(meeting, at, rows * width));
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

/** Collectives over a fabric: what a rank's engine calls at its collective steps. */
export const collectOver =
  (fabric: Fabric) =>
  (memory: WebAssembly.Memory): Collect => {
    const dispatch = dispatcher();
    return (call) => {
      const { collective, group } = call.step;
      meet({ memory, end: fabric.endpoint(group), members: group.length, call }, collective, dispatch);
    };
  };
