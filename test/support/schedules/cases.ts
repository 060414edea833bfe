/** Correct schedules of every kind, for those that check or break them. */
import { ascend910b3 } from "../../../targets/ascend/profiles/910.ts";
import { birenBr100 } from "../../../targets/biren/profiles/br100.ts";
import { attention } from "../../../targets/device/kernels/attention/attention.ts";
import { bestAttention } from "../../../targets/device/search/attention.ts";
import { gemm } from "../../../targets/device/kernels/matrix/gemm.ts";
import type { GemmSpec } from "../../../targets/device/kernels/matrix/spec.ts";
import { undivided, type Tile } from "../../../targets/device/kernels/matrix/tile.ts";
import { swiglu } from "../../../targets/device/kernels/vector/elementwise.ts";
import { rmsNorm } from "../../../targets/device/kernels/vector/norm.ts";
import { countSlots } from "../../../targets/device/kernels/vector/count-slots.ts";
import { placeSlots } from "../../../targets/device/kernels/vector/place-slots.ts";
import { groupSlots } from "../../../targets/device/kernels/vector/group-slots.ts";
import { permuteRows } from "../../../targets/device/kernels/vector/permute.ts";
import { rope } from "../../../targets/device/kernels/vector/rope.ts";
import { router } from "../../../targets/device/kernels/vector/router.ts";
import type { Profile } from "../../../src/machine/profile.ts";
import { insertFlags } from "../../../src/machine/schedule/flags.ts";
import { distinctTrial } from "../../../src/plan/program/readers.ts";
import type { Kernel } from "../../../src/machine/schedule/kernel.ts";
import { parseKernel } from "../../../src/machine/schedule/parser.ts";
import type { Trial } from "../../../src/machine/verify/verify.ts";
import { productText } from "./product.ts";

export type ScheduleCase = {
  readonly name: string;
  readonly kernel: Kernel;
  readonly profile: Profile;
  readonly trials: readonly Trial[];
};

const trial = (sizes: Readonly<Record<string, number>>): Trial => ({ sizes: new Map(Object.entries(sizes)) });

const product = (
  k: number,
  n: number,
  m: number,
  tileN: number,
  tileK: number,
  step: number,
): ScheduleCase => ({
  name: `a product of ${n} x ${k} in tiles of ${m} x ${tileN} x ${tileK}`,
  kernel: insertFlags(parseKernel(productText(k, n, { m, n: tileN, k: tileK, step })), ascend910b3),
  profile: ascend910b3,
  trials: [trial({ S: 1 }), trial({ S: 3 * m + 5 })],
});

/** Rows enough that every core goes through its buffers more than once. */
const many = 20_000;

/** Kernels as plans have them, on one machine. */
function kernelsOf(profile: Profile): readonly ScheduleCase[] {
  const on = (name: string, kernel: Kernel, ...trials: readonly Trial[]): ScheduleCase => ({
    name: `${name} on ${profile.name}`,
    kernel,
    profile,
    trials,
  });
  const view = (dtype: "bf16" | "f32" | "i8", width: number, heads?: number) => ({
    dtype,
    width,
    ...(heads && { heads }),
  });
  const tile: Tile = { area: { m: 32, n: 64 }, staged: { k: 128, step: 64, copies: 2 }, sums: undivided };
  const multiply = (name: string, spec: GemmSpec): ScheduleCase =>
    on(name, gemm(profile, spec, tile), trial({ S: 2 }), trial({ S: 90 }));
  const [heads, groups, dim] = [4, 2, 64];
  const attrs = { topK: 4, groups: 4, topGroups: 2, scoring: "sigmoid", groupScore: "top2", normalize: true, scale: 2.5 } as const; // prettier-ignore
  const placed = (name: string, kernel: Kernel, ...rows: readonly number[]): ScheduleCase =>
    on(name, kernel, ...rows.map((n): Trial => distinctTrial(kernel, new Map([["S", n]]))));
  const attending = {
    q: view("bf16", dim, heads),
    k: view("bf16", dim, groups),
    v: view("bf16", dim, groups),
    out: view("bf16", dim, heads),
    scale: 0.125,
    queries: Infinity,
  };
  return [
    multiply("an integer product", {
      a: view("i8", 300),
      w: { kind: "integer", dtype: "i8", group: 300 },
      out: view("f32", 150),
    }),
    multiply("a product of coded weights", {
      a: view("bf16", 256),
      w: { kind: "coded", dtype: "i8", group: 64, zeros: false },
      out: view("bf16", 150),
    }),
    placed(
      "a product of experts",
      gemm(
        profile,
        { a: view("bf16", 300), w: { kind: "plain", dtype: "bf16" }, out: view("bf16", 150), experts: 3 },
        tile,
      ),
      2,
      90,
    ),
    on(
      "attention",
      attention(profile, attending, bestAttention(profile, attending)),
      trial({ B: 1, S: 1, P: 0 }),
      trial({ B: 1, S: 150, P: 300 }),
    ),
    on(
      "a norm with a residual",
      rmsNorm(profile, {
        x: view("bf16", 192),
        residual: view("bf16", 192),
        sum: view("bf16", 192),
        gain: "bf16",
        eps: 1e-6,
        out: view("bf16", 192),
      }),
      trial({ S: 1 }),
      trial({ S: 9000 }),
    ),
    on(
      "a rounded gate",
      swiglu(profile, { a: view("f32", 192), b: view("f32", 192), rounded: { rotation: 1 } }),
      trial({ S: 1 }),
      trial({ S: 9000 }),
    ),
    on(
      "a router",
      router(profile, { ...attrs, logits: "f32", experts: 64, bias: true }),
      trial({ S: 1 }),
      trial({ S: 9000 }),
    ),
    placed(
      "rows on their way to experts",
      permuteRows(profile, {
        x: view("bf16", 192),
        topK: 4,
        scaled: false,
        partial: false,
        blocks: { experts: 200, heights: [16, 48] },
      }),
      1,
      many,
    ),
    placed("slots counted by parts", countSlots(profile, { experts: 20, topK: 4, partial: false }), 1, 1500),
    placed("slots placed by what was counted", placeSlots(profile, { experts: 20, topK: 4, partial: false }), 1, 1500), // prettier-ignore
    placed(
      "slots in the order of their experts",
      groupSlots(profile, { experts: 20, topK: 4, partial: false }),
      1,
      1500,
    ),
    on(
      "rotary embedding",
      rope(profile, { x: view("bf16", 32, 4), out: view("bf16", 32, 4), pairs: "halves", positions: 64 }),
      trial({ S: 1 }),
      trial({ S: many }),
    ),
  ];
}

export const scheduleCases: readonly ScheduleCase[] = [
  product(300, 70, 32, 48, 64, 16),
  product(1024, 2048, 128, 256, 256, 64),
  product(512, 512, 16, 256, 256, 64),
  ...kernelsOf(ascend910b3),
  ...kernelsOf(birenBr100),
];
