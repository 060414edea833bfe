/** The work of one step on one rank. */
export type Phase = "prefill" | "decode";

export type StepWork = {
  readonly phase: Phase;
  /** Sequences that a rank has for its own; ranks that share attention pool theirs. */
  readonly sequences: number;
  /** New tokens of each sequence in this step. */
  readonly tokens: number;
  /** Positions that a new token attends to, on average. */
  readonly attended: number;
};
