/** The clusters known by name. */
import type { Group } from "../topology.ts";
import { superNode } from "./fleets.ts";

export type Preset = {
  readonly name: string;
  readonly summary: string;
  /** How it is built: by the form that `moec` reads, or as it stands. */
  readonly made: string | Group;
};

export const presets: readonly Preset[] = [
  {
    name: "8x ascend-910b3",
    summary: "one Atlas 800 A2: eight 910B3 in a mesh of HCCS links",
    made: "8x ascend-910b3",
  },
  {
    name: "2x8 ascend-910b3",
    summary: "two Atlas 800 A2, joined by RoCE",
    made: "2x8 ascend-910b3",
  },
  {
    name: "cloudmatrix-384",
    summary: "48 nodes of eight 910C packages on the unified bus: 768 dies",
    made: superNode(48),
  },
  {
    name: "8x biren-br100",
    summary: "one server of eight BR100, each joined to each by BLink",
    made: "8x biren-br100",
  },
  {
    name: "ascend-biren-stages",
    summary: "two Atlas 800 A2 and a server of BR100 in one plan, split by pipeline stage",
    made: "2x8 ascend-910b3 + 8x biren-br100",
  },
  {
    name: "ascend-biren-phases",
    summary: "prefill on a server of BR100, decode on two Atlas 800 A2",
    made: "decode: 2x8 ascend-910b3 + prefill: 8x biren-br100",
  },
];
