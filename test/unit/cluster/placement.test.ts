/** Placing experts: what every placement must keep, and what a good one is better at. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fullestOverMean, messagesPerToken, nodesHolding } from "../../../src/cluster/placement/measure.ts";
import { placeLayer, type Placing } from "../../../src/cluster/placement/place.ts";
import { loadsOf, routedSets } from "../../../src/cluster/placement/routing.ts";
import { createRandom } from "../../../src/support/random.ts";

const placing: Placing = {
  policy: "search",
  nodes: [0, 0, 1, 1],
  redundant: 2,
  groups: 1,
  messageCost: 30,
  seed: 1,
};

test("an expert's load is shared by its copies", () => {
  expect(fullestOverMean([[0, 1], [0]], [10, 2])).toBeCloseTo(7 / 6, 12);
});

test("each set of experts is looked at once", () => {
  const sets = routedSets({ k: 2, choices: Uint16Array.of(0, 1, 1, 0, 2, 3) }, 100);
  expect([...sets.experts]).toEqual([0, 1, 2, 3]);
  expect([...sets.tokens]).toEqual([2, 1]);
});

test("every placement holds every expert, on equal devices or ones that differ by one", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 5, maxLength: 24 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 0, max: 9 }),
      (loads, devices, redundant) => {
        fc.pre(loads.length + redundant <= loads.length * devices);
        const nodes = Array.from({ length: devices }, (_, d) => d % 2).sort();
        const layer = placeLayer({ loads, stretches: [] }, { ...placing, nodes, redundant });
        const sizes = layer.map((held) => held.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        expect(sizes.reduce((a, b) => a + b)).toBe(loads.length + redundant);
        expect(new Set(layer.flat()).size).toBe(loads.length);
      },
    ),
    { numRuns: 10 },
  );
}, 30_000);

/** Tokens that take one of the pairs 0 and 1, 2 and 3, …, now and then another expert with it. */
function pairedRouting(experts: number, tokens: number) {
  const random = createRandom(3);
  const choices = new Uint16Array(tokens * 3);
  for (let t = 0; t < tokens; t++) {
    const pair = random.below(experts / 2) * 2;
    const other = (pair + 2 + random.below(experts - 2)) % experts;
    choices.set([pair, pair + 1, random.below(4) > 0 ? ((pair + 8) % experts) : other], t * 3); // prettier-ignore
  }
  return { k: 3, choices };
}

describe("a search", () => {
  const routing = pairedRouting(16, 2000);
  const loads = loadsOf(routing, 16);
  const evidence = { loads, stretches: [], sets: routedSets(routing, 2000) };
  const of = (policy: Placing["policy"]) => placeLayer(evidence, { ...placing, redundant: 4, policy });
  test("leaves no device fuller than either of EPLB's policies, and causes fewer messages", () => {
    const found = of("search");
    for (const other of [of("eplb"), of("eplb-global")]) {
      expect(fullestOverMean(found, loads)).toBeLessThanOrEqual(fullestOverMean(other, loads) + 1e-9);
      const messages = [found, other].map((it) => messagesPerToken(it, evidence.sets, placing.nodes));
      expect(messages[0]).toBeLessThan(messages[1] ?? 0);
    }
  });
  test("finds the same again", () => {
    expect(of("search")).toEqual(of("search"));
  });
  test("keeps what is taken together in one node", () => {
    const at = nodesHolding(of("search"), 16, placing.nodes);
    const together = Array.from({ length: 8 }, (_, i) => [at[2 * i], at[2 * i + 1]] as const).filter(
      ([a, b]) => a?.some((node) => b?.includes(node)),
    );
    expect(together.length).toBeGreaterThanOrEqual(7);
  });
});
