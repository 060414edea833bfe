/** What groups of ranks with sequences of their own do together: one step at a time, in which each takes part or idles along. */

export type Lockstep<C, A> = {
  /**
   * What one lane does in a step; the step is taken as soon as all lanes at work have said what they do. Rejects with what the
   * step throws, and with what ended the work of another lane.
   */
  readonly run: (lane: number, call: C) => Promise<A>;
  /** From now on steps wait for this lane. */
  readonly enter: (lane: number) => void;
  /** Steps wait for this lane no longer. */
  readonly leave: (lane: number) => void;
  /** End the work of every lane. */
  readonly stop: (error: unknown) => void;
};

type Waiting<C, A> = {
  readonly call: C;
  readonly resolve: (answer: A) => void;
  readonly reject: (error: unknown) => void;
};

/** Lanes that step together: `step` is given what each of them does, undefined for one that idles, and gives their answers. */
export function lockstep<C, A>(
  lanes: number,
  step: (calls: readonly (C | undefined)[]) => Promise<readonly A[]>,
): Lockstep<C, A> {
  const atWork = new Set<number>();
  const waiting = new Map<number, Waiting<C, A>>();
  let isStepping = false;
  let stopped: { readonly error: unknown } | undefined;
  const take = async (taken: ReadonlyMap<number, Waiting<C, A>>): Promise<void> => {
    try {
      const answers = await step(Array.from({ length: lanes }, (_, lane) => taken.get(lane)?.call));
      for (const [lane, { resolve, reject }] of taken) {
        const answer = answers[lane];
        if (answer === undefined) reject(new Error(`a step gave lane ${lane} no answer`));
        else resolve(answer);
      }
    } catch (error) {
      for (const { reject } of taken.values()) reject(error);
    }
  };
  const stepIfReady = async (): Promise<void> => {
    if (isStepping || waiting.size === 0 || ![...atWork].every((lane) => waiting.has(lane))) return;
    const taken = new Map(waiting);
    waiting.clear();
    isStepping = true;
    await take(taken);
    isStepping = false;
    await stepIfReady();
  };
  return {
    run: (lane, call) =>
      new Promise((resolve, reject) => {
        if (stopped) return reject(stopped.error);
        waiting.set(lane, { call, resolve, reject });
        void stepIfReady();
      }),
    enter: (lane) => void atWork.add(lane),
    leave: (lane) => {
      atWork.delete(lane);
      void stepIfReady();
    },
    stop: (error) => {
      stopped ??= { error };
      for (const { reject } of waiting.values()) reject(error);
      waiting.clear();
    },
  };
}
