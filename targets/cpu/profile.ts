/**
 * A processor as a profile: what `moec simulate` needs to time the same schedules on a common core. Plans for the CPU
 * do not read it; their kernels are WebAssembly and their time is measured.
 */
import { conversions, copy, engines, fragment, inCore } from "../../src/machine/declare.ts";
import { model, tested, type Figure } from "../../src/support/figure.ts";
import type { Path, Profile, Space } from "../../src/machine/profile.ts";

const KiB = 1024;
const GiB = 1024 ** 3;
const kernels = "the WebAssembly kernels on one x86 server with two cores";
const assumed = "a common server core, 128-bit WebAssembly SIMD";
const figure = (value: number): Figure => model(value, assumed);

const load = (from: string, to: string, bytesPerCycle: number): Path =>
  copy(["cpu", "load"], [from, to], figure(bytesPerCycle), {
    startup: figure(0),
    rowBytes: figure(64),
    layouts: [],
  });

const space = (name: string, kibibytes: number): Space =>
  inCore("cpu", name, figure(kibibytes * KiB), { align: figure(64), layouts: ["nd"] });

export const cpuProfile: Profile = {
  name: "cpu",
  summary: "any processor: WebAssembly SIMD kernels made for the plan, on worker threads",
  vendor: "any",
  clock: figure(2500),
  groups: figure(2),
  cores: [{ name: "cpu", perGroup: figure(1) }],
  spaces: [
    { name: "gm", scope: "chip", bytes: figure(16 * GiB), align: figure(64), layouts: ["nd"] },
    space("cache", 1024),
    space("registers", 1),
  ],
  engines: engines("cpu", ["load", "simd", "scalar"]),
  paths: [
    load("gm", "cache", 8),
    load("cache", "registers", 32),
    load("registers", "cache", 16),
    load("cache", "gm", 8),
  ],
  matrix: {
    core: "cpu",
    engine: "simd",
    a: "cache",
    b: "cache",
    c: "registers",
    rates: [fragment("f32", "f32", [1, 4, 1], figure(0.5)), fragment("i8", "i32", [1, 4, 4], figure(0.5))],
    startup: figure(0),
  },
  vector: {
    core: "cpu",
    engine: "simd",
    space: "cache",
    bytesPerCycle: figure(16),
    startup: figure(0),
    dtypes: model(["f32", "i32", "i16", "i8"], assumed),
    converts: model(
      [
        ...conversions(["f16", "f32"], ["bf16", "f32"], ["i32", "f32"], ["f32", "i32"]),
        ...conversions(["i8", "f32"], ["f32", "i8"], ["i4", "i8"]),
      ],
      assumed,
    ),
    factors: {
      elementwise: figure(1),
      convert: figure(1),
      divide: figure(4),
      transcendental: figure(12),
      reduce: figure(1),
      gather: figure(4),
      sort: figure(8),
    },
  },
  flags: { perPair: figure(1), reserved: figure(0) },
  memory: {
    capacity: figure(16 * GiB),
    bytesPerSecond: tested(15.6e9, `${kernels}: reading 4 GiB on one thread; two threads were no faster`),
    sustained: tested(0.86, `${kernels}: WebAssembly reads at 0.86 to 0.94 of C`),
    l2Bytes: figure(32 * KiB * KiB),
    l2BytesPerCycle: figure(32),
  },
  launch: figure(1),
  energy: {
    macs: [
      { dtype: "f32", picojoules: figure(20) },
      { dtype: "i8", picojoules: figure(5) },
    ],
    accesses: [
      { space: "gm", picojoules: figure(100) },
      { space: "cache", picojoules: figure(5) },
      { space: "registers", picojoules: figure(0.5) },
    ],
    l2: figure(20),
    vectorByte: figure(3),
    watts: figure(30),
  },
};
