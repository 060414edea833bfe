/** Traces in the JSON form of Chrome's trace events, which Perfetto opens. */

/** One span on a lane of a process; times in microseconds. */
export type Span = {
  readonly process: string;
  readonly lane: string;
  readonly name: string;
  readonly start: number;
  readonly end: number;
  readonly details?: Readonly<Record<string, string | number>>;
};

/** Sums of times are this near; Perfetto counts nanoseconds. */
const roundingMicroseconds = 1e-6;

export type TraceWriter = { readonly add: (span: Span) => void; readonly finish: () => void };

/**
 * Write spans as they come, those of a lane by their start; `put` takes the pieces of one JSON document, `about` says what is to know of all of them. What is
 * under way on a lane together, such as copies whose latencies overlap, stands in rows of its own: a row holds no two spans that cross, of which Perfetto drops one.
 */
export function traceWriter(
  put: (text: string) => void,
  about: Readonly<Record<string, string>>,
): TraceWriter {
  const processes = new Map<string, number>();
  const lanes = new Map<string, number>();
  const busyUntil = new Map<string, number[]>();
  let separator = "";
  const event = (it: object): void => {
    put(`${separator}${JSON.stringify(it)}`);
    separator = ",\n";
  };
  const numbered = (known: Map<string, number>, key: string, onNew: (id: number) => void): number => {
    const found = known.get(key);
    if (found !== undefined) return found;
    known.set(key, known.size + 1);
    onNew(known.size);
    return known.size;
  };
  /** The first row of a lane that is free; taken until the span's end. */
  const rowFor = ({ process, lane, start, end }: Span): string => {
    const ends = busyUntil.get(`${process} ${lane}`) ?? [];
    const free = ends.findIndex((it) => it <= start + roundingMicroseconds);
    const row = free < 0 ? ends.length : free;
    ends[row] = end;
    busyUntil.set(`${process} ${lane}`, ends);
    return row === 0 ? lane : `${lane} (${row + 1})`;
  };
  put(`{"displayTimeUnit":"ns","otherData":${JSON.stringify(about)},"traceEvents":[\n`);
  return {
    add: (span) => {
      const { process, name, start, end, details } = span;
      const lane = rowFor(span);
      const pid = numbered(processes, process, (id) =>
        event({ ph: "M", name: "process_name", pid: id, args: { name: process } }),
      );
      const tid = numbered(lanes, `${process} ${lane}`, (id) =>
        event({ ph: "M", name: "thread_name", pid, tid: id, args: { name: lane } }),
      );
      event({ ph: "X", name, pid, tid, ts: start, dur: end - start, ...(details && { args: details }) });
    },
    finish: () => put("\n]}\n"),
  };
}
