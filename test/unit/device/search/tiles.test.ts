/** The search for tiles: what it finds is legal, gives the same result, and is found again. */
import { mkdtempSync, rmSync, appendFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { memoryIn } from "../../../../src/driver/device/tile-memory.ts";
import { globalSpace } from "../../../../src/machine/profile.ts";
import { time, type Timing } from "../../../../src/machine/simulate/time.ts";
import { ascend910b3 } from "../../../../targets/ascend/profiles/910.ts";
import { birenBr100 } from "../../../../targets/biren/profiles/br100.ts";
import { gemm } from "../../../../targets/device/kernels/matrix/gemm.ts";
import type { GemmSpec } from "../../../../targets/device/kernels/matrix/spec.ts";
import type { Tile } from "../../../../targets/device/kernels/matrix/tile.ts";
import { leastWork } from "../../../../targets/device/search/bounds.ts";
import { candidates } from "../../../../targets/device/search/candidates.ts";
import { estimator } from "../../../../targets/device/search/estimate.ts";
import { limitOf } from "../../../../src/machine/simulate/limit.ts";
import { pingPong, publishedTiles } from "../../../../targets/device/search/published.ts";
import { bestTile, productLaunch, timed } from "../../../../targets/device/search/search.ts";
import { blockReader, zipfOffsets } from "../../../../src/plan/program/row-blocks.ts";
import { blockInputs, faultsOf, runKernel } from "../../../support/kernels/run-kernel.ts";
import { noWarning } from "../../../support/no-warning.ts";

const machines = [ascend910b3, birenBr100].map((it) => [it.name, it] as const);
const bf16 = (n: number, k: number): GemmSpec => ({
  a: { dtype: "bf16", width: k },
  w: { kind: "plain", dtype: "bf16" },
  out: { dtype: "f32", width: n },
});
const w8a8 = (n: number, k: number): GemmSpec => ({
  a: { dtype: "i8", width: k },
  w: { kind: "integer", dtype: "i8", group: k },
  out: { dtype: "bf16", width: n },
});
/** With weights in fractals, which can be staged in pieces. */
const nz = (n: number, k: number): GemmSpec => ({
  ...bf16(n, k),
  w: { kind: "plain", dtype: "bf16", nz: true },
});
/** Bytes over the paths of all cores to and from global memory, which the cache serves. */
const cachedBytes = ({ bytes }: Timing): number =>
  [...bytes].reduce((n, [path, of]) => (path.split(" ").includes(globalSpace) ? n + of : n), 0);

describe.each(machines)("on %s", (_, profile) => {
  const [s, n, k] = [70, 100, 160];
  const specs: readonly GemmSpec[] = [
    bf16(n, k),
    { ...w8a8(n, k), out: { dtype: "f32", width: n } },
    { ...bf16(n, k), w: { kind: "coded", dtype: "i8", group: 32, zeros: false } },
    { ...bf16(n, k), experts: 3 },
  ];
  const whole = (of: number, seed: number): Float32Array<ArrayBuffer> =>
    Float32Array.from({ length: of }, (_, i) => ((i * 37 + seed) % 17) - 8);
  const inputs = {
    a: whole(s * k, 1),
    w: whole(3 * n * k, 2),
    aScales: new Float32Array(s).fill(0.5),
    scales: new Float32Array(n * 5).fill(0.25),
    offsets: [0, 40, 41, 70],
  };
  test("any legal tile passes the verifier and gives the same result", () => {
    const legal = specs.map((spec) => candidates(profile, spec, s));
    const run = (spec: GemmSpec, tile: Tile): ArrayLike<number> => {
      const kernel = gemm(profile, spec, tile);
      expect(faultsOf(kernel, profile, [{ S: s }], () => blockReader(inputs.offsets, tile.area.m))).toEqual(
        [],
      );
      const known = kernel.tensors.filter((it) => it.role === "in").map((it) => it.name);
      const all = { ...inputs, ...blockInputs(inputs.offsets, tile.area.m) };
      const given = Object.fromEntries(Object.entries(all).filter(([name]) => known.includes(name)));
      return runKernel(kernel, profile, { S: s }, given)["out"] ?? [];
    };
    const expected = specs.map((spec, i) => legal[i]?.slice(0, 1).map((tile) => run(spec, tile))[0]);
    fc.assert(
      fc.property(
        fc.nat(specs.length - 1),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (which, where) => {
          const [spec, tiles] = [specs[which], legal[which] ?? []];
          const tile = tiles[Math.floor(where * tiles.length)];
          if (spec && tile) expect(run(spec, tile)).toEqual(expected[which]);
        },
      ),
      { numRuns: 24, seed: 7 },
    );
  });
});

describe("the search", () => {
  test.each([
    ["prefill", bf16(2112, 7168), 4096],
    ["decode", bf16(7168, 2048), 32],
    ["int8", w8a8(2112, 7168), 96],
    ["experts", { ...bf16(4096, 2048), experts: 8 }, 768],
  ])("finds no slower tile than CATLASS's, the same each time: %s", (_, spec, rows) => {
    const { tile, cycles } = bestTile(ascend910b3, spec, rows, 3);
    const [catlass] = publishedTiles(ascend910b3, spec);
    expect(catlass && cycles <= timed(ascend910b3, spec, catlass, rows).cycles).toBe(true);
    expect(bestTile(ascend910b3, spec, rows, 3).tile).toEqual(tile);
  });

  test("times what it leaves out as if it had walked through it", () => {
    for (const [spec, rows] of [
      [bf16(2048, 1536), 2000],
      [w8a8(1024, 2048), 500],
      [{ ...bf16(512, 1024), experts: 4 }, 700],
      // Most experts have no rows.
      [{ ...w8a8(1792, 1024), experts: 256 }, 64],
    ] as const) {
      const { tile } = bestTile(ascend910b3, spec, rows, 1);
      const kernel = gemm(ascend910b3, spec, tile);
      const launch = productLaunch(spec, tile, rows);
      const [quick, all] = [time(kernel, ascend910b3, launch), time(kernel, ascend910b3, launch, () => {})];
      expect(Math.abs(quick.cycles / all.cycles - 1)).toBeLessThan(0.01);
      expect(quick.macs / all.macs).toBeCloseTo(1, 6);
    }
  });

  test.each([
    ["wide", bf16(2048, 1536), 2000],
    ["short", bf16(7168, 2048), 8],
    ["in fractals", nz(2048, 4096), 32],
    ["in fractals, of more rows", nz(2048, 4096), 200],
    ["int8", w8a8(1024, 2048), 500],
    ["experts", { ...bf16(512, 1024), experts: 4 }, 700],
    ["experts with few rows", { ...nz(1024, 2048), experts: 16 }, 24],
  ] as const)("no tile undercuts the least work, whatever its parts, pieces and accumulators: %s", (_, spec, rows) => {
    const { cycles } = leastWork(ascend910b3, spec, rows);
    const estimate = estimator(ascend910b3, spec, rows);
    const kinds = Map.groupBy(candidates(ascend910b3, spec, rows), ({ staged, sums }) =>
      [sums.parts, sums.cut, sums.copies, staged.pieces?.copies].join(),
    );
    expect(kinds.size).toBeGreaterThan(2);
    for (const tiles of kinds.values())
      for (const tile of tiles.toSorted((a, b) => estimate(a) - estimate(b)).slice(0, 2)) {
        const timing = timed(ascend910b3, spec, tile, rows);
        expect(timing.cycles, JSON.stringify(tile)).toBeGreaterThan(cycles * 0.999);
        expect(cachedBytes(timing) / ascend910b3.memory.l2BytesPerCycle.value).toBeLessThan(timing.cycles * 1.001);
      }
  }); // prettier-ignore

  test.each([1, 2, 3, 4])(
    "work is even, and near the least there is, however rows are spread among experts: %d",
    (seed) => {
      const [spec, rows] = [{ ...nz(4096, 7168), experts: 8 }, 768];
      const { tile } = bestTile(ascend910b3, spec, rows, 3);
      const skewed = timed(ascend910b3, spec, tile, rows, [0, 700, 700, 701, 710, 720, 730, 750, 768]);
      expect(skewed.balance).toBeGreaterThan(0.9);
      const offsets = zipfOffsets(8, rows, seed);
      const found = timed(ascend910b3, spec, tile, rows, offsets);
      // Blocks are as tall as uneven rows want: with those of even ones some groups would take others' weights again.
      expect(found.cycles).toBeLessThan(1.15 * leastWork(ascend910b3, spec, rows, offsets).cycles);
    },
  );

  test.each([
    ["bf16", nz(4096, 7168), 256],
    ["bf16, of more rows", nz(7168, 2048), 768],
    ["bf16, of few rows", nz(7168, 2048), 64],
    ["int8", { ...w8a8(4096, 7168), w: { kind: "integer", dtype: "i8", group: 7168, nz: true } }, 768],
  ] as const)("rows that are spread unevenly among experts take little longer than even ones: %s", (_, spec, rows) => {
    const experts = { ...spec, experts: 8 };
    const { tile, cycles } = bestTile(ascend910b3, experts, rows, 8);
    for (const seed of [1, 2, 3]) {
      const found = timed(ascend910b3, experts, tile, rows, zipfOffsets(8, rows, seed));
      expect(found.cycles).toBeLessThan(1.12 * cycles);
    }
  }); // prettier-ignore

  test("weights of a short depth are held while many rows pass by, however long trials before were", () => {
    const spec: GemmSpec = { ...w8a8(32768, 512), w: { kind: "integer", dtype: "i8", group: 512, nz: true } };
    const { tile, cycles } = bestTile(ascend910b3, spec, 4096);
    expect(tile.runs).toBeDefined();
    expect(leastWork(ascend910b3, spec, 4096).bounds.cube / cycles).toBeGreaterThan(0.9);
  });

  test("knows what a product is bound by", () => {
    expect(leastWork(ascend910b3, bf16(4096, 7168), 4096).binds).toBe("cube");
    expect(leastWork(ascend910b3, bf16(4096, 7168), 8).binds).toBe("memory");
    expect(leastWork(ascend910b3, w8a8(4096, 128), 4096).binds).toBe("store");
  });

  test("says what binds", () => {
    const limit = (spec: GemmSpec, rows: number, tile = bestTile(ascend910b3, spec, rows, 3).tile): string =>
      limitOf(ascend910b3, gemm(ascend910b3, spec, tile), timed(ascend910b3, spec, tile, rows));
    expect(limit(bf16(4096, 7168), 4096)).toBe("cube");
    expect(limit(bf16(7168, 16384), 8)).toBe("memory");
    expect(limit(bf16(64, 512), 16)).toBe("launch");
    // 20 groups, and 21 tiles: all but one wait for the second half of the time.
    expect(limit(bf16(256 * 21, 7168), 128, pingPong(128, 256, 256))).toBe("waves");
    expect(limit(bf16(256 * 20, 7168), 2048, pingPong(64, 256, 384))).toBe("L2");
    // Two copies of all that is staged leave no room for a third of either.
    expect(limit(bf16(256 * 20, 7168), 512, pingPong(128, 256, 320))).toBe("L1 capacity");
  });

  test("remembers what it found in a folder, and does not mind a torn line there", () => {
    const folder = mkdtempSync(join(tmpdir(), "moec-tiles-"));
    try {
      const { tiles, keep } = memoryIn(folder, noWarning);
      const found = bestTile(ascend910b3, bf16(512, 512), 64, 2, tiles);
      keep();
      appendFileSync(join(folder, "tiles.jsonl"), '{"key":"half');
      const later = memoryIn(folder, noWarning).tiles;
      expect(later.size).toBe(1);
      expect(bestTile(ascend910b3, bf16(512, 512), 64, 2, later)).toEqual(found);
      expect(bestTile({ ...ascend910b3, name: "other" }, bf16(512, 512), 64, 2, later) && later.size).toBe(2);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
