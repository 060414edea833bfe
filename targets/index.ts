/** The devices that moec compiles for. */
export type TargetInfo = {
  readonly name: string;
  readonly summary: string;
  /** What a plan for it runs on. */
  readonly runsOn: string;
};

export const targets: readonly TargetInfo[] = [
  {
    name: "cpu",
    summary: "any processor: WebAssembly SIMD kernels made for the plan, on worker threads",
    runsOn: "this machine",
  },
];
