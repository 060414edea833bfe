/** Biren BR100 and BR104. */
import { derived, model, vendor } from "../../../src/support/figure.ts";
import { spc } from "./spc.ts";

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
const press = "chipsandcheese, techpowerup and ServeTheHome on Hot Chips 34";
const powerShare = "a sixth of the board's power; no figure is published";

export const birenBr100 = spc({
  name: "biren-br100",
  summary: "Biren BR100: 32 SPCs on two dies; its units inside are a model",
  groups: vendor(32, press),
  capacity: vendor(64 * GiB, press),
  bytesPerSecond: vendor(1.64e12, press),
  l2Bytes: vendor(256 * MiB, `${press}: 8 MiB to an SPC`),
  watts: model(90, powerShare),
});

export const birenBr104 = spc({
  name: "biren-br104",
  summary: "Biren BR104: 16 SPCs on one die; its units inside are a model",
  groups: vendor(16, press),
  capacity: vendor(32 * GiB, press),
  bytesPerSecond: vendor(819e9, press),
  l2Bytes: derived(128 * MiB, "8 MiB to an SPC, as on the BR100"),
  watts: model(50, powerShare),
});
