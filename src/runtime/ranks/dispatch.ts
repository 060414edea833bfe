import type { Collective, Rows } from "../../plan/program/program.ts";
import { destinationsOf, type Destinations } from "../../ir/dispatch.ts";
import { bytesOf, gathered, type Meeting } from "./meeting.ts";

type Dispatch = Extract<Collective, { readonly kind: "dispatch" }>;

/** What goes to one member: which rows, and for each its slots there and their weights. */
type Parcel = { readonly rows: number[]; readonly slots: number[]; readonly shares: number[] };

/** Sort a rank's rows by the members that have their experts. */
function sorted(
  destinations: Destinations,
  self: number,
  members: number,
  indices: Int32Array,
  weights: Float32Array,
  k: number,
) {
  const parcels = Array.from({ length: members }, (): Parcel => ({ rows: [], slots: [], shares: [] }));
  for (let row = 0; row < indices.length / k; row++)
    destinations(indices.subarray(row * k, (row + 1) * k), self, row).forEach((holder, j) => {
      const parcel = holder && parcels[holder.member];
      if (!parcel) return;
      if (parcel.rows.at(-1) !== row) {
        parcel.rows.push(row);
        for (let i = 0; i < k; i++) {
          parcel.slots.push(-1);
          parcel.shares.push(0);
        }
      }
      parcel.slots[parcel.slots.length - k + j] = holder.slot;
      parcel.shares[parcel.shares.length - k + j] = weights[row * k + j] ?? 0;
    });
  return parcels;
}

const bytesIn = (values: Int32Array | Float32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/**
 * A message is, for each member, how many rows go to it; then, member by member, the numbers of these rows at the sender, their
 * slots, their weights, and the rows themselves.
 */
function message(parcels: readonly Parcel[], x: Uint8Array, width: number): Uint8Array {
  const counts = Int32Array.from(parcels, (it) => it.rows.length);
  return Buffer.concat([
    bytesIn(counts),
    ...parcels.flatMap(({ rows, slots, shares }) => [
      bytesIn(Int32Array.from(rows)),
      bytesIn(Int32Array.from(slots)),
      bytesIn(Float32Array.from(shares)),
      ...rows.map((row) => x.subarray(row * width, (row + 1) * width)),
    ]),
  ]);
}

/** Does dispatches; who holds what does not change from call to call, and is looked up once. */
export function dispatcher(): (meeting: Meeting, it: Dispatch) => void {
  const known = new Map<Dispatch, Destinations>();
  return (meeting, it) => {
    const destinations = known.get(it) ?? destinationsOf(it.held, it.starts);
    known.set(it, destinations);
    dispatchRows(meeting, it, destinations);
  };
}

/** Send each row to the members that hold its experts, and take what comes. */
function dispatchRows(meeting: Meeting, it: Dispatch, destinations: Destinations): void {
  const { end, members, call } = meeting;
  const k = it.indices.width / 4;
  const { width } = it.x;
  const own = (rows: Rows): Uint8Array => gathered(call.place(rows));
  const aligned = (bytes: Uint8Array): ArrayBuffer => bytes.slice().buffer as ArrayBuffer; // a copy is never shared
  const parcels = sorted(
    destinations,
    end.self,
    members,
    new Int32Array(aligned(own(it.indices))),
    new Float32Array(aligned(own(it.weights))),
    k,
  );
  end.post([message(parcels, own(it.x), width)]);
  const [rows, slots] = [call.place(it.rows), call.place(it.slots)];
  const [shares, from] = [call.place(it.shares), call.place(it.from)];
  let arrived = 0;
  for (let m = 0; m < members; m++) {
    const counts = new Int32Array(members);
    end.take(m, 0, bytesIn(counts));
    const count = counts[end.self] ?? 0;
    const before = counts.subarray(0, end.self).reduce((n, c) => n + c, 0);
    const perRow = 4 + 8 * k + width;
    let at = 4 * members + before * perRow;
    const next = (target: Uint8Array): void => {
      end.take(m, at, target);
      at += target.byteLength;
    };
    const numbers = new Int32Array(count);
    next(bytesIn(numbers));
    next(bytesOf(slots, count * 4 * k, arrived * 4 * k));
    next(bytesOf(shares, count * 4 * k, arrived * 4 * k));
    next(bytesOf(rows, count * width, arrived * width));
    const senders = new Int32Array(from.memory, from.at + arrived * 8, 2 * count);
    numbers.forEach((row, i) => senders.set([m, row], 2 * i));
    arrived += count;
  }
  end.done();
  call.tell(it.count, arrived);
}
