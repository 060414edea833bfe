/**
 * The SPC of Biren BR100 and BR104 as a core group. Capacities, unit counts and peaks are of the press; no instruction
 * set and no pipeline is published, so how the units of an SPC work together is a model, and says so figure by figure.
 *
 * A group is one SPC: 16 execution units, each with a T-core (matrices) and 16 V-cores (vectors), around 256 KiB of L1.
 * They act as one core: the T-cores take the 8 x 8 blocks of a 32 x 32 tile, the registers (TLR, 40 KiB a unit) are cut
 * into operands, accumulators and vectors.
 */
import { conversions, copy, engines, fragment, inCore } from "../../../src/machine/declare.ts";
import { derived, model, uncertain, vendor, type Figure } from "../../../src/support/figure.ts";
import type { Path, Profile, Space } from "../../../src/machine/profile.ts";

const KiB = 1024;
const press = "chipsandcheese and ServeTheHome on Hot Chips 34";
const slides = "Hot Chips 34 slides, from memory; no stored page confirms it";
const assumed = "assumed: no micro-architecture is published";
const registers = `a cut of the 640 KiB of registers of an SPC (${slides})`;

/** What differs between the two parts. */
export type BirenChip = {
  readonly name: string;
  readonly summary: string;
  readonly groups: Figure;
  readonly capacity: Figure;
  readonly bytesPerSecond: Figure;
  readonly l2Bytes: Figure;
  readonly watts: Figure;
};

const registerSpace = (name: string, kibibytes: number): Space =>
  inCore("spc", name, model(kibibytes * KiB, registers), { align: model(128, assumed), layouts: ["nd"] });

const assumedCopy = (engine: string, ends: readonly [string, string], rate: number, startup: number): Path =>
  copy(["spc", engine], ends, model(rate, assumed), { startup: model(startup, assumed), layouts: [] });
const globalCopy = (engine: string, ends: readonly [string, string]): Path => ({
  ...assumedCopy(engine, ends, 256, 16),
  efficientBytes: model(4096, assumed),
  rowBytes: model(128, assumed),
});

const tcore = model(
  0.5,
  "16 T-cores, each two steps of 8 x 8 x 8 a cycle (k 16 for i8, 4 for f32, which is taken in as TF32+): 1024 multiply-adds of bf16 a unit, as the peak asks",
);

const factor = (value: number): Figure => model(value, assumed);
const guess =
  "a model of 7 nm logic and HBM2E, scaled so that full load stays below the board's power; no figure is published";

/** The profile of one chip of this SPC. */
export const spc = (chip: BirenChip): Profile => ({
  name: chip.name,
  summary: chip.summary,
  vendor: "Biren",
  clock: derived(
    976.5625,
    "1024 TFLOPS of bf16 over 512 units of 1024 multiply-adds a cycle; the press rounds it to 1 GHz",
  ),
  groups: chip.groups,
  cores: [{ name: "spc", perGroup: model(1, "the 16 units of an SPC act as one core") }],
  spaces: [
    { name: "gm", scope: "chip", bytes: chip.capacity, align: model(128, assumed), layouts: ["nd"] },
    inCore("spc", "l1", vendor(256 * KiB, `${press}: 64 KiB to 4 units, 256 KiB to an SPC`), {
      align: model(128, assumed),
      layouts: ["nd"],
    }),
    registerSpace("ta", 128),
    registerSpace("tb", 128),
    registerSpace("tc", 256),
    registerSpace("tv", 128),
  ],
  engines: engines("spc", ["load", "fill", "tcore", "vcore", "store", "scalar"]),
  paths: [
    globalCopy("load", ["gm", "l1"]),
    globalCopy("load", ["gm", "tv"]),
    assumedCopy("fill", ["l1", "ta"], 2048, 8),
    assumedCopy("fill", ["l1", "tb"], 2048, 8),
    assumedCopy("vcore", ["tc", "tv"], 16384, 8),
    assumedCopy("vcore", ["tv", "l1"], 2048, 8),
    globalCopy("store", ["tv", "gm"]),
  ],
  matrix: {
    core: "spc",
    engine: "tcore",
    a: "ta",
    b: "tb",
    c: "tc",
    rates: [
      fragment("bf16", "f32", [32, 32, 8], tcore),
      fragment("i8", "i32", [32, 32, 16], tcore),
      fragment("f32", "f32", [32, 32, 4], tcore),
    ],
    startup: model(8, assumed),
  },
  vector: {
    core: "spc",
    engine: "vcore",
    space: "tv",
    bytesPerCycle: derived(
      16384,
      "256 TFLOPS of f32: 256 multiply-adds a unit and cycle, of 4 bytes, 16 units",
    ),
    startup: model(8, assumed),
    dtypes: uncertain(
      ["f32", "f16", "bf16", "i32", "i16", "i8"],
      "formats of the press; those of vectors are inferred",
    ),
    converts: model(
      [
        ...conversions(["f32", "bf16"], ["bf16", "f32"], ["f32", "f16"], ["f16", "f32"]),
        ...conversions(["f32", "i8"], ["i8", "f32"], ["i8", "bf16"], ["i4", "i8"]),
        ...conversions(["f32", "i32"], ["i32", "f32"], ["i32", "i64"], ["i64", "i32"]),
      ],
      assumed,
    ),
    factors: {
      elementwise: factor(1),
      convert: factor(1),
      divide: factor(4),
      transcendental: factor(4),
      reduce: factor(2),
      gather: factor(8),
      sort: factor(4),
    },
  },
  flags: { perPair: model(16, assumed), reserved: model(0, assumed) },
  memory: {
    capacity: chip.capacity,
    bytesPerSecond: chip.bytesPerSecond,
    sustained: uncertain(
      0.9,
      "1480 GB/s measured on a BR166, whose four stacks are taken to be as fast as the BR100's 1.64 TB/s",
    ),
    l2Bytes: chip.l2Bytes,
    l2BytesPerCycle: model(256 * chip.groups.value, `256 bytes a cycle and SPC, ${assumed}`),
  },
  launch: model(5, assumed),
  energy: {
    macs: [
      { dtype: "f32", picojoules: model(0.9, guess) },
      { dtype: "f16", picojoules: model(0.5, guess) },
      { dtype: "bf16", picojoules: model(0.5, guess) },
      { dtype: "i8", picojoules: model(0.2, guess) },
    ],
    accesses: [
      { space: "gm", picojoules: model(32, guess) },
      { space: "l1", picojoules: model(1, guess) },
      ...["ta", "tb", "tc", "tv"].map((space) => ({ space, picojoules: model(0.3, guess) })),
    ],
    l2: model(6, guess),
    vectorByte: model(1.5, guess),
    watts: chip.watts,
  },
});
