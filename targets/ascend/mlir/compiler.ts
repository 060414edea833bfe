/** How Huawei's compiler is called for a kernel. */
import { fail } from "../../../src/support/diagnostics.ts";

/** Chips by the names that `bishengir-compile --target` takes. */
const chips: Readonly<Record<string, string>> = {
  "ascend-910b1": "Ascend910B1",
  "ascend-910b2": "Ascend910B2",
  "ascend-910b3": "Ascend910B3",
  "ascend-910b4": "Ascend910B4",
  "ascend-910c": "Ascend910_9391",
  "ascend-950pr": "Ascend950PR_9579",
};

/** The compiler's name of a device. Throws `emit/no-compiler`. */
export const chipOf = (target: string): string =>
  chips[target] ?? fail("emit/no-compiler", { kind: "flag", flag: "--target" }, target, Object.keys(chips));

/** What the compiler is to do about second copies of buffers; it cannot double accumulators alone. */
export type Copies = "none" | "all but accumulators" | "all";

/** The options that make `bishengir-compile` keep to a kernel's buffers, its input and output left out. */
export const compilerOptions = (copies: Copies, chip: string): readonly string[] => [
  `--target=${chip}`,
  `--enable-auto-multi-buffer=${copies !== "none"}`,
  `--limit-auto-multi-buffer-of-local-buffer=${copies === "all" ? "no-limit" : "no-l0c"}`,
  "--enable-auto-bind-sub-block=true",
  "--enable-hfusion-compile=true",
  "--enable-hivm-compile=true",
  "--enable-triton-kernel-compile=true",
];
