/** Correct schedules of every kind, for those that check or break them. */
import { ascend910b3 } from "../../targets/ascend/profiles/910.ts";
import type { Profile } from "../../src/machine/profile.ts";
import { insertFlags } from "../../src/machine/schedule/flags.ts";
import type { Kernel } from "../../src/machine/schedule/kernel.ts";
import { parseKernel } from "../../src/machine/schedule/parser.ts";
import type { Trial } from "../../src/machine/verify/verify.ts";
import { productText } from "./product-schedule.ts";

export type ScheduleCase = {
  readonly name: string;
  readonly kernel: Kernel;
  readonly profile: Profile;
  readonly trials: readonly Trial[];
};

const sizes = (s: number): Trial => ({ sizes: new Map([["S", s]]) });

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
  trials: [sizes(1), sizes(3 * m + 5)],
});

export const scheduleCases: readonly ScheduleCase[] = [
  product(300, 70, 32, 48, 64, 16),
  product(1024, 2048, 128, 256, 256, 64),
  product(512, 512, 16, 256, 256, 64),
];
