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

export type TraceWriter = { readonly add: (span: Span) => void; readonly finish: () => void };

/** Write spans as they come; `put` takes the pieces of one JSON document, `about` says what is to know of all of them. */
export function traceWriter(
  put: (text: string) => void,
  about: Readonly<Record<string, string>>,
): TraceWriter {
  const processes = new Map<string, number>();
  const lanes = new Map<string, number>();
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
  put(`{"displayTimeUnit":"ns","otherData":${JSON.stringify(about)},"traceEvents":[\n`);
  return {
    add: ({ process, lane, name, start, end, details }) => {
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
