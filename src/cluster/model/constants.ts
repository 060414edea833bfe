/**
 * The constants of the forecast that no profile has. Those that are `fitted` were fitted by `npm run validate` on the
 * figures that docs/validation.md marks so; it fails where they would come out otherwise.
 */
import { derived, model, uncertain, vendor, type Figure } from "../../support/figure.ts";
import type { Profile } from "../../machine/profile.ts";

const paper = "CloudMatrix384, arXiv 2506.12708";
const fitted = (value: number, on: string): Figure => derived(value, `fitted on ${on} (${paper})`);

export const constants = {
  /** Share of its peak that the matrix unit reaches in large products. */
  matrixShare: vendor(0.8, `${paper}: INT8 products of the 910C reach 77.4 to 82.7 %`),
  /** Share of it that attention reaches where arithmetic binds. */
  attentionShare: vendor(0.654, `${paper}: latent attention of the 910C`),
  /** Share of the nominal memory rate that kernels reach. */
  memoryShare: vendor(0.841, `${paper}: latent attention of the 910C where memory binds`),
  /** Share of memory that a model may fill. */
  memoryUse: vendor(0.92, "vllm-ascend tutorials, --gpu-memory-utilization"),
  /** Share of drafted tokens that are accepted. */
  accepted: vendor(0.7, `${paper}: one drafted token, 70 % accepted`),
  /** Microseconds to start a step from the host. */
  stepMicroseconds: vendor(700, `${paper}: 0.6 to 0.8 ms to start a graph`),
  /** Bytes that go along with a dispatched token: its scale and where it came from, padded. */
  headerBytes: vendor(512, `${paper}: a token of 7168 codes is sent as 7.5 KiB`),
  /** Share of what two micro-batches could at best hide in each other that they do hide. */
  hidden: fitted(0.415, "what two micro-batches gain in prefill, 23 to 31 %"),
  /** Tokens of the fullest rank of experts over the mean, balanced by EPLB. */
  imbalance: fitted(1.93, "prefill of 5,655 tokens a second and NPU"),
  /** Microseconds of a kernel besides its work. */
  kernelMicroseconds: fitted(1.76, "decode of 538 tokens a second and NPU"),
  /** Microseconds in which the ranks of an exchange wait for each other. */
  waitMicroseconds: derived(
    17.4,
    "UBEP, arXiv 2607.06202: synchronization is 15 % of a dispatch over 8 ranks of 116 us",
  ),
  /** Microseconds that a rank takes for each other rank's flags. */
  peerMicroseconds: fitted(0.0942, "dispatch over 256 ranks"),
  /** Microseconds that a vector core takes to round, address and send one token. */
  rowMicroseconds: fitted(1.65, "dispatch over 8 ranks"),
} as const satisfies Record<string, Figure>;

export type Constants = { readonly [K in keyof typeof constants]: Figure };

/** Where what the constants say of kernels and exchanges was measured. */
const home = { device: "ascend-910c", vendor: "Huawei" };

/** Those that are of the software or the model, whatever the device. */
const anywhere: ReadonlySet<string> = new Set<keyof Constants>([
  "memoryUse",
  "accepted",
  "headerBytes",
  "imbalance",
]);

/** The constants on a device: what was measured on another is only supposed to hold. */
export function constantsOn({ name, vendor: maker }: Profile): Constants {
  if (name === home.device) return constants;
  const supposed = maker === home.vendor ? uncertain : model;
  const moved = ([key, it]: [string, Figure]): [string, Figure] => [
    key,
    anywhere.has(key) ? it : supposed(it.value, `as on the ${home.device}: ${it.source}`),
  ];
  return Object.fromEntries(Object.entries(constants).map(moved)) as Constants; // the same keys
}
