/** What the Ascend chips have in common, and what is assumed of all of them alike. */
import { derived, model, vendor, type Figure } from "../../../src/machine/figure.ts";
import type { Profile } from "../../../src/machine/profile.ts";

/** M0 = 16 rows of C0 = 32 bytes: 16 numbers of 16 bits, 32 of 8, 64 of 4. */
export const fractal = {
  rows: vendor(16, "asc-devkit, data layout formats"),
  rowBytes: vendor(32, "asc-devkit, data layout formats"),
};

export const queueDepth: Figure = vendor(32, "asc-devkit, issue queues of MTE1 and the cube");

const largeCopies =
  "asc-devkit, hardware constraints 2201: one transfer of 16 KiB or more reaches the best rate";

/** How copies from and to global memory come near their rate. */
export const efficientCopy = {
  startup: derived(16, `a tenth of 16 KiB at 110 bytes a cycle; ${largeCopies}`),
  efficientBytes: vendor(16384, largeCopies),
  rowBytes: vendor(512, "asc-devkit, hardware constraints 2201: align the inner axis to 512 bytes"),
} as const;

/** Cycles of a fragment, by the rule that gives every vendor figure of 16-bit and 8-bit peaks. */
export const matrixCycles = (cycles: number): Figure =>
  vendor(cycles, "CANN platform configuration, cube_m/n/k_size and DtypeMKN; f32 at a quarter of f16");

const assumed = "assumed from the instruction counts of common implementations";
export const factorModel: Profile["vector"]["factors"] = {
  elementwise: vendor(1, "the unit"),
  convert: model(1, assumed),
  divide: model(4, assumed),
  transcendental: model(4, assumed),
  reduce: model(2, assumed),
  gather: model(8, assumed),
  sort: model(4, assumed),
};

const guess =
  "a model of 7 nm logic and HBM2E, scaled so that full load stays below the board's 400 W; no figure is published";
export const energyModel: Profile["energy"] = {
  macs: [
    { dtype: "f32", picojoules: model(3, guess) },
    { dtype: "f16", picojoules: model(0.8, guess) },
    { dtype: "bf16", picojoules: model(0.8, guess) },
    { dtype: "i8", picojoules: model(0.3, guess) },
    { dtype: "i4", picojoules: model(0.15, guess) },
  ],
  accesses: [
    { space: "gm", picojoules: model(32, guess) },
    { space: "l1", picojoules: model(1, guess) },
    { space: "l0a", picojoules: model(0.3, guess) },
    { space: "l0b", picojoules: model(0.3, guess) },
    { space: "l0c", picojoules: model(0.3, guess) },
    { space: "ub", picojoules: model(0.8, guess) },
  ],
  l2: model(6, guess),
  vectorByte: model(1.5, guess),
  watts: model(90, guess),
};
