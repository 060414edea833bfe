/** The links of known clusters. Bandwidths are one way, in bytes per second out of a device. */
import { derived, measured, model, uncertain, vendor } from "../../support/figure.ts";
import type { Link } from "../topology.ts";

const msmodeling = "msmodeling, Huawei's performance model";
const cloudMatrix = "CloudMatrix384, arXiv 2506.12708";
const reached = vendor(0.7, `${msmodeling}: the default of every link`);

/** Seven HCCS links of an Atlas 800 A2, one to each other device. */
export const hccs: Link = {
  kind: "node-mesh",
  shape: "mesh",
  bandwidth: vendor(196e9, `${msmodeling}; half of 392 GB/s both ways, which is 28 GB/s a pair`),
  latency: vendor(0.5e-6, msmodeling),
  efficiency: reached,
};

/** 200 Gb/s for each device of an Atlas 800 A2. */
export const roce200: Link = {
  kind: "roce",
  shape: "switch",
  bandwidth: vendor(25e9, `${msmodeling}: 200 Gb/s a device`),
  latency: vendor(1.5e-6, msmodeling),
  efficiency: reached,
};

/** The two dies of a 910C. */
export const sio: Link = {
  kind: "die-pair",
  shape: "mesh",
  bandwidth: vendor(224e9, msmodeling),
  latency: measured(218e-9, "UBEP, arXiv 2607.06202"),
  efficiency: reached,
};

/** The unified bus within a node of CloudMatrix, through its first-level switches. */
export const ubNode: Link = {
  kind: "node-mesh",
  shape: "switch",
  bandwidth: vendor(196e9, `${cloudMatrix}: 392 GB/s a package, half of it a die`),
  latency: measured(929e-9, "UBEP, arXiv 2607.06202: one hop"),
  efficiency: reached,
};

/** The unified bus between nodes: seven planes of second-level switches that do not block. */
export const ubPlane: Link = {
  kind: "ub-plane",
  shape: "switch",
  bandwidth: derived(190e9, `196 GB/s a die less the 3 % between nodes that ${cloudMatrix} allows`),
  latency: measured(2.5e-6, "UBEP, arXiv 2607.06202: two hops; msmodeling takes 5.5 us"),
  efficiency: reached,
};

/** BLink of eight BR100 on one board, each joined to each. */
export const blink: Link = {
  kind: "blink",
  shape: "mesh",
  bandwidth: derived(224e9, "seven of eight links of 64 GB/s both ways, as the press has it"),
  latency: model(1e-6, "not published; as other links within a node"),
  efficiency: model(0.7, "not published; as msmodeling takes for Ascend"),
};

/** Sixteen lanes of PCIe 5.0, as between cards without links of their own. */
export const pcie5: Link = {
  kind: "pcie",
  shape: "switch",
  bandwidth: vendor(63e9, `${msmodeling}: PCIe cards`),
  latency: vendor(0.2e-6, msmodeling),
  efficiency: reached,
};

/** What a node of cards whose network is not published is joined by. */
export const roceAssumed: Link = {
  kind: "roce",
  shape: "switch",
  bandwidth: model(25e9, "200 Gb/s a device, as Ascend's; not published for this device"),
  latency: uncertain(1.5e-6, "as Ascend's RoCE"),
  efficiency: model(0.7, "as Ascend's RoCE"),
};
