/** Ascend 910B in its four bins, and a die of the 910C. */
import { derived, measured, uncertain, vendor } from "../../../src/machine/figure.ts";
import { c220, hbm64, l2of192 } from "./dav-c220.ts";

const spec = "AscendNPU-IR NPUTargetSpec.td";
const nominal = vendor(1.6e12, "msmodeling; nominal of the four stacks, reads and writes together");

export const ascend910b1 = c220({
  name: "ascend-910b1",
  summary: "Huawei Ascend 910B1: 24 cube and 48 vector cores at 1.85 GHz",
  clock: vendor(1850, "CANN Ascend910B1.ini, cube_freq"),
  groups: vendor(24, "CANN Ascend910B1.ini, cube_core_cnt; 25 are on the die"),
  l2Bytes: l2of192,
  capacity: hbm64,
  bytesPerSecond: nominal,
});

export const ascend910b2 = c220({
  name: "ascend-910b2",
  summary: "Huawei Ascend 910B2: 24 cube and 48 vector cores at 1.8 GHz",
  clock: vendor(1800, `${spec}; CANN Ascend910B2.ini`),
  groups: vendor(24, `${spec}; CANN Ascend910B2.ini`),
  l2Bytes: l2of192,
  capacity: hbm64,
  bytesPerSecond: uncertain(1.6e12, "as the 910B1; about 1.5 TB/s are said to be reached"),
});

export const ascend910b3 = c220({
  name: "ascend-910b3",
  summary: "Huawei Ascend 910B3: 20 cube and 40 vector cores at 1.8 GHz",
  clock: vendor(1800, spec),
  groups: vendor(20, spec),
  l2Bytes: derived(192 * 1024 * 1024, "as the 910B1 and 910B2, of which it is a bin"),
  capacity: hbm64,
  bytesPerSecond: nominal,
});

export const ascend910b4 = c220({
  name: "ascend-910b4",
  summary: "Huawei Ascend 910B4, 32 GB: 20 cube and 40 vector cores at 1.5 GHz",
  clock: vendor(1500, "CANN Ascend910B4.ini, cube_freq"),
  groups: vendor(20, "CANN Ascend910B4.ini, cube_core_cnt"),
  l2Bytes: uncertain(96 * 1024 * 1024, "half of the 910B1, with half of its memory"),
  capacity: vendor(34359738368, "CANN Ascend910B4.ini, memory_size"),
  bytesPerSecond: vendor(0.8 * 1024 ** 4, "msmodeling: 0.8 TiB/s of the 32 GB card"),
});

export const ascend910c = c220({
  name: "ascend-910c",
  summary: "one die of Huawei Ascend 910C (910_93, A3): 24 cube and 48 vector cores at 1.85 GHz",
  clock: measured(1850, "npu-smi on an A3, AI core frequency"),
  groups: vendor(24, "CANN Ascend910_9391.ini, cube_core_cnt; 25 are on the die, some parts have 20"),
  l2Bytes: derived(192 * 1024 * 1024, "as the 910B1, whose configuration fits an A3 die as measured"),
  capacity: vendor(64 * 1024 ** 3, "CloudMatrix384, arXiv 2506.12708: 128 GB of the two dies"),
  bytesPerSecond: vendor(1.6e12, "CloudMatrix384, arXiv 2506.12708: 3.2 TB/s of the two dies"),
});
