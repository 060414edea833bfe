/** Plans of many ranks for a device: one process a rank, each with the simulated device that has its shard. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { clusterNamed } from "../../src/cluster/cluster-name.ts";
import { parseMesh } from "../../src/cluster/mesh.ts";
import { emit, lowerModel, write, type CompileOptions } from "../../src/driver/compile.ts";
import { placedByStages } from "../../src/driver/device/placed.ts";
import { simulatePlan } from "../../src/driver/device/simulate-plan.ts";
import { planQuantization, schemeFrom } from "../../src/driver/quantize.ts";
import { profileOf } from "../../src/driver/target.ts";
import { readPlan } from "../../src/plan/read-plan.ts";
import { openSession } from "../../src/runtime/session.ts";
import { readGolden } from "../support/checkpoints.ts";
import { root } from "../support/moec.ts";
import { tempFolder } from "../support/temp.ts";

const temp = tempFolder();
const tiny = join(root, "fixtures/tiny/v3");
const device = {
  profile: profileOf("ascend-910b3"),
  tiles: new Map(),
  trials: 1,
  verified: new Set<string>(),
};
const both = clusterNamed("2x ascend-910b3 + 2x biren-br100");
/** A stage on the chips of each maker. */
const mixed = {
  ...device,
  fleet: {
    cluster: both,
    devices: placedByStages(both, parseMesh("pp2xdp2")).devices.map(({ rank, profile }) => ({ number: rank, profile: profileOf(profile) })),
  },
}; // prettier-ignore
const scheme = schemeFrom("int8");
/** Activations of a plan of codes are float32, so that only the order of sums is different. */
const codes: CompileOptions = scheme ? { quantization: planQuantization(scheme, "nearest") } : {};

async function compiled(mesh: string, redundantExperts = 0, more: CompileOptions = {}): Promise<string> {
  const dir = join(temp, `${mesh}-${Object.keys(more).join()}`);
  const options = { device, ...more, context: 64, parallel: { mesh: parseMesh(mesh), redundantExperts } };
  await write(dir, emit(lowerModel(tiny, options), options));
  return dir;
}

/** The logits of a prompt, in one call and token by token, and the experts that each token went to. */
async function answersOf(dir: string, ids: readonly number[]) {
  const session = openSession(readPlan(dir), 1);
  const rows: Float32Array[] = [];
  const routes: string[] = [];
  try {
    for (const by of ["prefill", "decode"] as const) {
      session.restart();
      await session.feed(ids, by, (row) => void rows.push(row.slice()), (layer, experts, at) => void routes.push(`${by} ${at} ${layer} ${experts.join()}`)); // prettier-ignore
    }
  } finally {
    await session.close();
  }
  return { logits: rows, routes: routes.sort() };
}

const farthest = (a: readonly Float32Array[], b: readonly Float32Array[]): number =>
  Math.max(...a.flatMap((row, i) => [...row].map((x, j) => Math.abs(x - (b[i]?.[j] ?? NaN)))));

describe("plans of many ranks for devices", () => {
  test("expert and tensor ranks give the logits of the plan of one, and route alike", async () => {
    const ids = [3, 17, 60, 5];
    const alone = await answersOf(await compiled("tp1", 0, codes), ids);
    const together = await answersOf(await compiled("tp2xep2", 2, codes), ids);
    expect(farthest(together.logits, alone.logits)).toBeLessThan(1e-4);
    expect(together.routes).toEqual(alone.routes);
  });

  test("stages on chips of two makers, beside a group without a sequence, give the golden logits within what bf16 can tell", async () => {
    const golden = readGolden(tiny);
    const ids = golden.prompts[0]?.slice(0, 6) ?? [];
    const { logits } = await answersOf(await compiled("pp2xdp2", 0, { device: mixed }), ids);
    const found = logits.flatMap((row) => [...row]);
    const rows = golden.logits(0).subarray(0, found.length / 2);
    const expected = [...rows, ...rows];
    const size = (of: readonly number[]) => Math.sqrt(of.reduce((n, x) => n + x * x, 0));
    expect(size(found.map((x, i) => x - (expected[i] ?? NaN))) / size(expected)).toBeLessThan(0.05);
  });

  test("a step takes as long as its ranks' kernels, exchanges and waits, and longer over slower links", async () => {
    const plan = readPlan(await compiled("tp2xep2", 2, codes));
    const call = { tokens: 16, past: 0 };
    const { ranks, cluster } = simulatePlan(plan, "prefill", call);
    expect(cluster?.name).toBe("4x ascend-910b3");
    for (const { microseconds, kernels, exchanges } of ranks) {
      const parts = [...kernels, ...exchanges].reduce((n, it) => n + it.microseconds, 0);
      expect(parts + exchanges.reduce((n, it) => n + it.waited, 0)).toBeCloseTo(microseconds, 6);
      expect(exchanges.map((it) => it.kind)).toEqual(expect.arrayContaining(["allReduce", "dispatch", "combine"])); // prettier-ignore
    }
    const apart = simulatePlan(plan, "prefill", call, clusterNamed("4x1 ascend-910b3"));
    expect(apart.ranks[0]?.microseconds).toBeGreaterThan(ranks[0]?.microseconds ?? Infinity);
  });

  test("a stage waits for the one before it", async () => {
    const { ranks, loaded } = simulatePlan(
      readPlan(await compiled("pp2xdp2", 0, { device: mixed })),
      "decode",
      { tokens: 1, past: 3 },
    );
    expect(loaded.map((it) => it.profile.name)).toEqual([
      "ascend-910b3",
      "ascend-910b3",
      "biren-br100",
      "biren-br100",
    ]);
    const received = ranks[2]?.exchanges.find((it) => it.kind === "recv");
    expect(received?.waited).toBe(ranks[0]?.microseconds);
    expect(received?.microseconds).toBeGreaterThan(0);
  });

  test("a rank that needs more than its device has is refused, with ways out", () => {
    const profile = { ...device.profile, memory: { ...device.profile.memory, capacity: { ...device.profile.memory.capacity, value: 500_000 } } }; // prettier-ignore
    const options = { device: { ...device, profile }, parallel: { mesh: parseMesh("ep2"), redundantExperts: 0 } }; // prettier-ignore
    expect(() => emit(lowerModel(tiny, options), options)).toThrow(/rank \d needs/);
  });
});
