/** Ascend 910B in its four bins, and a die of the 910C. */
import { uncertain, vendor } from "../../../src/machine/figure.ts";
import { c220 } from "./dav-c220.ts";

const KiB = 1024;
const ini = (chip: string, field: string): string => `CANN 8.1 Ascend${chip}.ini, ${field}`;
const nominal = vendor(1.6e12, "msmodeling; nominal of the four stacks, reads and writes together");

export const ascend910b1 = c220({
  name: "ascend-910b1",
  summary: "Huawei Ascend 910B1: 24 cube and 48 vector cores at 1.85 GHz",
  clock: vendor(1850, ini("910B1", "cube_freq")),
  groups: vendor(24, `${ini("910B1", "cube_core_cnt")}; 25 are on the die`),
  l2Bytes: vendor(192 * KiB * KiB, ini("910B1", "l2_size")),
  capacity: vendor(64 * KiB ** 3, ini("910B1", "memory_size")),
  bytesPerSecond: nominal,
});

export const ascend910b2 = c220({
  name: "ascend-910b2",
  summary: "Huawei Ascend 910B2: 24 cube and 48 vector cores at 1.8 GHz",
  clock: vendor(1800, ini("910B2", "cube_freq")),
  groups: vendor(24, ini("910B2", "cube_core_cnt")),
  l2Bytes: vendor(192 * KiB * KiB, ini("910B2", "l2_size")),
  capacity: vendor(64 * KiB ** 3, ini("910B2", "memory_size")),
  bytesPerSecond: uncertain(1.6e12, "as the 910B1; about 1.5 TB/s are said to be reached"),
});

export const ascend910b3 = c220({
  name: "ascend-910b3",
  summary: "Huawei Ascend 910B3: 20 cube and 40 vector cores at 1.8 GHz",
  clock: vendor(1800, ini("910B3", "cube_freq")),
  groups: vendor(20, ini("910B3", "cube_core_cnt")),
  l2Bytes: vendor(192 * KiB * KiB, ini("910B3", "l2_size")),
  capacity: vendor(64 * KiB ** 3, ini("910B3", "memory_size")),
  bytesPerSecond: nominal,
});

export const ascend910b4 = c220({
  name: "ascend-910b4",
  summary: "Huawei Ascend 910B4, 32 GB: 20 cube and 40 vector cores at 1.5 GHz",
  clock: vendor(1500, ini("910B4", "cube_freq")),
  groups: vendor(20, ini("910B4", "cube_core_cnt")),
  l2Bytes: vendor(96 * KiB * KiB, ini("910B4", "l2_size")),
  capacity: vendor(32 * KiB ** 3, ini("910B4", "memory_size")),
  bytesPerSecond: vendor(0.8 * KiB ** 4, "msmodeling: 0.8 TiB/s of the 32 GB card"),
});

export const ascend910c = c220({
  name: "ascend-910c",
  summary: "one die of Huawei Ascend 910C (910_93, A3): 24 cube and 48 vector cores at 1.85 GHz",
  clock: vendor(1850, ini("910_9391", "cube_freq")),
  groups: vendor(24, `${ini("910_9391", "cube_core_cnt")}; 25 are on the die, and some parts have 20`),
  l2Bytes: vendor(192 * KiB * KiB, ini("910_9391", "l2_size")),
  capacity: vendor(64 * KiB ** 3, ini("910_9391", "memory_size")),
  bytesPerSecond: vendor(1.6e12, "CloudMatrix384, arXiv 2506.12708: 3.2 TB/s of the two dies"),
});
