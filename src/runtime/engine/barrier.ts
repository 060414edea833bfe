/**
 * Threads that run one program in step. The words in shared memory: how many have arrived, which round it is,
 * which call is asked for (odd counts of calls), its past, and whether some thread has failed.
 */
export type Team = {
  readonly words: Int32Array<ArrayBuffer | SharedArrayBuffer>;
  readonly threads: number;
  readonly spins: number;
};

export const word = { arrived: 0, round: 1, call: 2, program: 3, past: 4, failed: 5 } as const;

/** How long a thread sleeps before it looks whether another has died. */
const patienceMs = 200;

/** Wait until `index` no longer holds `value`: first by looking, then asleep. Throws when a thread has failed. */
export function waitWhile(team: Team, index: number, value: number): void {
  for (let i = 0; i < team.spins; i++) if (Atomics.load(team.words, index) !== value) return;
  while (Atomics.load(team.words, index) === value) {
    if (Atomics.load(team.words, word.failed)) throw new Error("another thread of the engine has failed");
    Atomics.wait(team.words, index, value, patienceMs);
  }
}

/** All threads meet here; the last to arrive opens the next round. */
export function barrier(team: Team): void {
  if (team.threads === 1) return;
  const round = Atomics.load(team.words, word.round);
  if (Atomics.add(team.words, word.arrived, 1) === team.threads - 1) {
    Atomics.store(team.words, word.arrived, 0);
    Atomics.add(team.words, word.round, 1);
    Atomics.notify(team.words, word.round);
  } else waitWhile(team, word.round, round);
}
