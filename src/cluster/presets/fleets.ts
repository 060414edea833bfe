/** How many devices of a kind make a node, and what joins them: what `4x8 ascend-910b3` is built from. */
import type { Group, Link } from "../topology.ts";
import { blink, hccs, pcie5, roce200, roceAssumed, sio, ubNode, ubPlane } from "./links.ts";

export type Fleet = {
  /** The name of the devices' profile. */
  readonly device: string;
  readonly inNode: Link;
  readonly betweenNodes: Link;
  /** Devices that a node can have. */
  readonly nodeSize: number;
};

export const fleets: readonly Fleet[] = [
  ...["ascend-910b1", "ascend-910b2", "ascend-910b3", "ascend-910b4"].map((device) => ({
    device,
    inNode: hccs,
    betweenNodes: roce200,
    nodeSize: 8,
  })),
  { device: "biren-br100", inNode: blink, betweenNodes: roceAssumed, nodeSize: 8 },
  { device: "biren-br104", inNode: pcie5, betweenNodes: roceAssumed, nodeSize: 8 },
];

/** A supernode of 910C packages, two dies each; every die is a device. */
export const superNode = (nodes: number): Group => ({
  link: ubPlane,
  members: [
    {
      count: nodes,
      of: {
        link: ubNode,
        members: [{ count: 8, of: { link: sio, members: [{ count: 2, of: "ascend-910c" }] } }],
      },
    },
  ],
});

/** What joins fleets of different makers: Ethernet, by the slower of their networks. */
export const betweenFleets: Link = roceAssumed;
