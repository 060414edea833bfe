/** Ascend 910B in its four bins, and a die of the 910C. */
import { uncertain, vendor, type Figure } from "../../../src/support/figure.ts";
import { c220 } from "./dav-c220.ts";

type Bin = {
  /** The name of its platform configuration in CANN 8.1. */
  readonly ini: string;
  readonly summary: string;
  readonly megahertz: number;
  readonly cubes: number;
  readonly l2Mebibytes: number;
  readonly gibibytes: number;
  readonly bytesPerSecond: Figure;
};

const bin = (name: string, it: Bin) => {
  const configured = (value: number, field: string): Figure =>
    vendor(value, `CANN 8.1 ${it.ini}.ini, ${field}`);
  return c220({
    name,
    summary: it.summary,
    clock: configured(it.megahertz, "cube_freq"),
    groups: configured(it.cubes, "cube_core_cnt"),
    l2Bytes: configured(it.l2Mebibytes * 1024 ** 2, "l2_size"),
    capacity: configured(it.gibibytes * 1024 ** 3, "memory_size"),
    bytesPerSecond: it.bytesPerSecond,
  });
};

const nominal = vendor(1.6e12, "msmodeling; nominal of the four stacks, reads and writes together");

export const ascend910b1 = bin("ascend-910b1", {
  ini: "Ascend910B1",
  summary: "Huawei Ascend 910B1: 24 cube and 48 vector cores at 1.85 GHz",
  megahertz: 1850,
  cubes: 24,
  l2Mebibytes: 192,
  gibibytes: 64,
  bytesPerSecond: nominal,
});

export const ascend910b2 = bin("ascend-910b2", {
  ini: "Ascend910B2",
  summary: "Huawei Ascend 910B2: 24 cube and 48 vector cores at 1.8 GHz",
  megahertz: 1800,
  cubes: 24,
  l2Mebibytes: 192,
  gibibytes: 64,
  bytesPerSecond: uncertain(1.6e12, "as the 910B1; about 1.5 TB/s are said to be reached"),
});

export const ascend910b3 = bin("ascend-910b3", {
  ini: "Ascend910B3",
  summary: "Huawei Ascend 910B3: 20 cube and 40 vector cores at 1.8 GHz",
  megahertz: 1800,
  cubes: 20,
  l2Mebibytes: 192,
  gibibytes: 64,
  bytesPerSecond: nominal,
});

export const ascend910b4 = bin("ascend-910b4", {
  ini: "Ascend910B4",
  summary: "Huawei Ascend 910B4, 32 GB: 20 cube and 40 vector cores at 1.5 GHz",
  megahertz: 1500,
  cubes: 20,
  l2Mebibytes: 96,
  gibibytes: 32,
  bytesPerSecond: vendor(0.8 * 1024 ** 4, "msmodeling: 0.8 TiB/s of the 32 GB card"),
});

export const ascend910c = bin("ascend-910c", {
  ini: "Ascend910_9391",
  summary: "one die of Huawei Ascend 910C (910_93, A3): 24 cube and 48 vector cores at 1.85 GHz",
  megahertz: 1850,
  cubes: 24,
  l2Mebibytes: 192,
  gibibytes: 64,
  bytesPerSecond: vendor(1.6e12, "CloudMatrix384, arXiv 2506.12708: 3.2 TB/s of the two dies"),
});
