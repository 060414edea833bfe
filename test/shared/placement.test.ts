/** Routing and placement of the trained model: which experts its texts take, and where they are best put. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { clusterNamed } from "../../src/cluster/cluster-name.ts";
import { nodesOf } from "../../src/cluster/topology.ts";
import { fullestOverMean } from "../../src/cluster/placement/measure.ts";
import { usualMessageCost } from "../../src/cluster/placement/place.ts";
import { loadsOf } from "../../src/cluster/placement/routing.ts";
import { heardFrom, judgePlacement, layersOf, placeLayers } from "../../src/driver/placement/place.ts";
import { readRouting } from "../../src/driver/placement/routing-file.ts";
import { moec } from "../support/moec.ts";
import { tempFolder } from "../support/temp.ts";
import { shared } from "./folder.ts";

const heldOut = ["heldout-en", "heldout-py", "heldout-zh"];

test("moec route records what transformers recorded", ({ skip }) => {
  const text = shared("checkpoints/moe-6m/text/heldout-zh.txt", skip);
  const recorded = shared("checkpoints/moe-6m/routing.safetensors", skip);
  const [plan, file] = [join(tempFolder(), "plan"), join(tempFolder(), "routing.safetensors")];
  expect(moec(["compile", "fixtures/moe-6m", "-o", plan]).code).toBe(0);
  const { code, err } = moec(["route", plan, "--text", text, "--windows", "4", "-o", file]);
  expect(code, err).toBe(0);
  const found = readRouting(file, {});
  expect(found).toMatchObject({ experts: 32, groups: 4 });
  const expected = readRouting(recorded, {}).texts.get("heldout-zh") ?? [];
  const sets = ({ k, choices }: { readonly k: number; readonly choices: Uint16Array }) =>
    Array.from({ length: 4 * 512 }, (_, t) => choices.slice(t * k, (t + 1) * k).sort().join()); // prettier-ignore
  found.texts.get("heldout-zh")?.forEach((layer, l) => {
    expect(sets(layer)).toEqual(sets(expected[l] ?? layer));
  });
});

describe("the last layer placed by the calibration text on 8 devices with 8 redundant experts, the search", () => {
  test.for([
    { cluster: "2x4 ascend-910b3", share: 0.85 },
    { cluster: "4x2 ascend-910b3", share: 0.92 },
  ])("on $cluster causes at most $share of EPLB's messages, no device fuller", (it, { skip }) => {
    const routing = readRouting(shared("checkpoints/moe-6m/routing.safetensors", skip), {});
    expect(routing.groups).toBe(4); // told by the choices
    const layers = layersOf(routing, ["calibration"]).slice(-1);
    const nodes = nodesOf(clusterNamed(it.cluster));
    const placing = { nodes, redundant: 8, groups: 4, messageCost: usualMessageCost, seed: 1 };
    const placed = (["search", "eplb", "eplb-global"] as const).map((policy) =>
      placeLayers(layers, 32, { ...placing, policy }),
    );
    const text = heardFrom(layersOf(routing, heldOut).slice(-1), 32);
    const judged = placed.map((maps) => judgePlacement(maps, text, nodes));
    const [own = NaN, ...theirs] = judged.map((j) => j.messagesPerToken);
    expect(own).toBeLessThan(it.share * Math.min(...theirs));
    layers.forEach((layer, l) => {
      const [mine = NaN, ...others] = placed.map((maps) => fullestOverMean(maps[l] ?? [], loadsOf(layer, 32)));
      expect(mine).toBeLessThanOrEqual(Math.min(...others) + 1e-9);
    });
  }); // prettier-ignore
});
