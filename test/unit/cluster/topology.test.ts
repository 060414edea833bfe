/** Clusters: by name, by form and from files; who is joined by what, and what moving bytes takes. */
import { describe, expect, test } from "vitest";
import { formatCluster, parseCluster } from "../../../src/cluster/cluster-file.ts";
import { clusterNamed, clusterNames } from "../../../src/cluster/cluster-name.ts";
import { holders, pricingOn, type Moved } from "../../../src/cluster/model/collectives.ts";
import { constants } from "../../../src/cluster/model/constants.ts";
import { figuresOfWay, networkOf } from "../../../src/cluster/model/links.ts";
import { devicesOf, joining, nodesOf, type Cluster } from "../../../src/cluster/topology.ts";
import { knownTargets } from "../../../src/driver/known.ts";
import { CompileError } from "../../../src/support/diagnostics.ts";

const ranks = (cluster: Cluster, ...numbers: readonly number[]) => {
  const devices = devicesOf(cluster);
  return numbers.map((n) => devices[n] ?? expect.fail(`no rank ${n}`));
};

function joined(cluster: Cluster, a: number, b: number): string {
  const [x, y] = ranks(cluster, a, b);
  return x && y ? joining(x, y).link.kind : "";
}

describe("a cluster", () => {
  test("of any known name consists of devices that have profiles", () => {
    const profiles = new Set(knownTargets.map((it) => it.name));
    for (const name of clusterNames)
      for (const { profile } of devicesOf(clusterNamed(name))) expect(profiles).toContain(profile);
  });
  test("is known by its name however it is spaced", () => {
    expect(clusterNamed("2X8-Ascend-910B3")).toEqual(clusterNamed("2x8 ascend-910b3"));
  });
  test("is read from a file as it was written", () => {
    for (const name of clusterNames) {
      const cluster = clusterNamed(name);
      expect(parseCluster(formatCluster(cluster), "c.json")).toEqual(cluster);
    }
  });
  test("of two nodes has RoCE between them and a mesh within", () => {
    const cluster = clusterNamed("2x8 ascend-910b3");
    expect(joined(cluster, 0, 7)).toBe("node-mesh");
    expect(joined(cluster, 7, 8)).toBe("roce");
    expect(nodesOf(cluster)).toEqual([...Array<number>(8).fill(0), ...Array<number>(8).fill(1)]);
  });
  test("CloudMatrix has 768 dies: pairs, nodes of 16, planes", () => {
    const cluster = clusterNamed("cloudmatrix-384");
    expect(devicesOf(cluster)).toHaveLength(768);
    expect([1, 2, 15, 16, 767].map((it) => joined(cluster, 0, it))).toEqual([
      "die-pair",
      "node-mesh",
      "node-mesh",
      "ub-plane",
      "ub-plane",
    ]);
    expect(new Set(nodesOf(cluster)).size).toBe(48);
  });
  test("may mix fleets, each with its role", () => {
    const devices = devicesOf(clusterNamed("ascend-biren-phases"));
    expect(devices.map((it) => it.profile).slice(15, 17)).toEqual(["ascend-910b3", "biren-br100"]);
    expect(devices.map((it) => it.role).slice(15, 17)).toEqual(["decode", "prefill"]);
    expect(new Set(nodesOf(clusterNamed("ascend-biren-stages"))).size).toBe(3);
  });
});

/** Figures one can reckon with on paper: 10 GB/s in a node, 1 GB/s between, a second and ten of latency. */
const link = (kind: string, shape: string, bandwidth: number, latency: number) => ({
  kind,
  shape,
  bandwidth,
  latency,
  efficiency: 1,
});
const links = {
  wire: link("node-mesh", "mesh", 10e9, 1e-3),
  net: link("roce", "switch", 1e9, 10e-3),
};
const node = (count: number) => ({ link: "wire", members: [{ count, device: "cpu" }] });
const file = (group: object, more: object = {}) => JSON.stringify({ name: "own", links, group, ...more });
const uneven = parseCluster(
  file({ link: "net", members: [{ count: 1, group: node(3) }, { count: 1, group: node(2) }] }),
  "own.json",
); // prettier-ignore

describe("a cluster of one's own", () => {
  test("may have groups of different sizes", () => {
    expect(nodesOf(uneven)).toEqual([0, 0, 0, 1, 1]);
    expect(joined(uneven, 2, 3)).toBe("roce");
  });
  const fault = (text: string): string => {
    try {
      parseCluster(text, "own.json");
    } catch (error) {
      if (error instanceof CompileError) return error.message;
    }
    return "";
  };
  test("is refused with the field at fault", () => {
    expect(fault(file({ link: "bus", members: [{ count: 1, device: "cpu" }] }))).toMatch(
      /no link bus; the file has wire, net\n.*\/group\/link/,
    );
    expect(fault(file({ link: "net", members: [{ count: 1 }] }))).toMatch(/\/group\/members\/0/);
    expect(fault(file({ link: "net", members: [{ count: 0, device: "cpu" }] }))).toMatch(/members\/0\/count/);
    expect(fault(file(node(2), { links: { ...links, wire: { ...links.wire, efficiency: 7 } } }))).toMatch(
      /from 0 to 1.*\n.*\/links\/wire\/efficiency/,
    );
    expect(fault(file(node(2)).slice(1))).toMatch(/cluster\/file/);
    expect(fault(file({ link: "net", members: [{ count: 65536, group: node(65536) }] }))).toMatch(/devices/);
  });
});

describe("moving bytes takes", () => {
  const figure = (value: number) => ({ ...constants.peerMicroseconds, value });
  /** Ranks that wait for nothing but links. */
  const prompt = { ...constants, waitMicroseconds: figure(0), peerMicroseconds: figure(0), headerBytes: figure(0), rowMicroseconds: figure(0) }; // prettier-ignore
  const seconds = (cluster: Cluster, group: readonly number[], moved: Moved) =>
    Number((1e-6 * pricingOn(devicesOf(cluster), prompt, 1)(group, moved)).toPrecision(9));
  const even = parseCluster(file({ link: "net", members: [{ count: 2, group: node(2) }] }), "own.json");
  test("one wire of a mesh from neighbour to neighbour, the network between nodes, and a flag there and back", () => {
    const send = { kind: "send", bytes: 1e9 } as const;
    expect(seconds(uneven, [0, 1], send)).toBe(2e-3 + 1 / 5); // one of the mesh's two wires
    expect(seconds(uneven, [0, 3], send)).toBe(20e-3 + 1);
  });
  test("an all-reduce there and back on each level, with what the near ones leave on the far", () => {
    const half = 2e-3 + 0.5 / 10 + 20e-3 + 0.25 / 1; // half of 1 GB in the node, half of that half outside
    expect(seconds(even, [0, 1, 2, 3], { kind: "allReduce", bytes: 1e9 })).toBe(
      Number((2 * half).toPrecision(9)),
    );
  });
  test("an all-reduce of little all at once, as levels would wait one after the other", () => {
    const direct = 20e-3 + 10 * (0.25 / 10e9 + 0.5 / 1e9);
    expect(seconds(even, [0, 1, 2, 3], { kind: "allGather", bytes: 10 })).toBeCloseTo(direct, 9);
  });
  test("a dispatch as many copies as ranks that a token's experts fall on", () => {
    expect(holders(2, 1)).toBe(1);
    expect(holders(2, 2)).toBe(1.5);
    const moved = { kind: "dispatch", tokens: 1000, topK: 2, bytesPerToken: 1e6 } as const;
    expect(seconds(even, [0, 2], moved)).toBe(Number((20e-3 + (1.5e9 * 0.5) / 1e9).toPrecision(9)));
  });
  test("what rests on the figures of the links it goes over", () => {
    const network = networkOf(devicesOf(uneven).slice(0, 2));
    expect(figuresOfWay(network, { ranks: 2, stride: 1 }).map((it) => it.confidence)).toEqual(Array(3).fill("uncertain")); // prettier-ignore
  });
});
