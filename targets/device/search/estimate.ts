/** How long a tiled product takes, by formula: each engine's work on one tile, the slowest of them, and what does not overlap. */
import { globalSpace, type Path, type Profile } from "../../../src/machine/profile.ts";
import { matrixRate, pathBetween } from "../../../src/machine/rates.ts";
import { dtypes, type DType } from "../../../src/tensor/dtype.ts";
import { flowOf } from "../kernels/matrix/flow.ts";
import { depthOf, matricesOf, sumsOf, widthOf, type GemmSpec } from "../kernels/matrix/spec.ts";
import { partWidth, type Tile } from "../kernels/matrix/tile.ts";

const bytes = (dtype: DType, n: number): number => (n * dtypes[dtype].bits) / 8;

/** Cycles of copies of so many bytes in so many instructions, rows of `row` bytes rounded up to what the path moves at once. */
function copying(path: Path | undefined, total: number, instructions: number, row: number): number {
  if (!path) return 0;
  const unit = path.rowBytes?.value ?? 1;
  return (
    instructions * path.startup.value +
    (total * Math.ceil(row / unit) * unit) / row / path.bytesPerCycle.value
  );
}

/** Estimated cycles of a kernel for so many rows. */
export function estimate(profile: Profile, spec: GemmSpec, tile: Tile, rows: number): number {
  const { matrix, memory, clock, groups } = profile;
  const flow = flowOf(profile, spec);
  const rate = matrixRate(profile, spec.a.dtype, flow.weight);
  if (!rate) return Infinity;
  const perMatrix = spec.experts === undefined ? rows : Math.ceil(rows / spec.experts);
  const [down, across] = [Math.ceil(perMatrix / tile.m), Math.ceil(widthOf(spec) / tile.n)];
  const [m, n, k] = [Math.min(tile.m, perMatrix), Math.min(tile.n, widthOf(spec)), depthOf(spec)];
  const tasks = down * across * matricesOf(spec);
  const working = Math.min(groups.value, tasks);
  const turns = Math.ceil(tasks / groups.value);
  const steps = Math.ceil(k / tile.step);
  const fragments = Math.ceil(m / rate.m) * Math.ceil(n / rate.n) * Math.ceil(k / rate.k);
  const cube = fragments * rate.cycles.value + steps * tile.parts * matrix.startup.value;
  const loads = Math.ceil(k / tile.k);
  const row = (dtype: DType): number => bytes(dtype, Math.min(tile.k, k));
  const stage = pathBetween(profile, globalSpace, flow.stage);
  const load =
    copying(stage, bytes(spec.a.dtype, m * k), loads, row(spec.a.dtype)) +
    copying(stage, bytes(spec.w.dtype, n * k), loads, row(spec.w.dtype));
  const fill =
    copying(
      pathBetween(profile, flow.stage, matrix.a),
      tile.parts * bytes(spec.a.dtype, m * k),
      steps * tile.parts,
      1,
    ) + copying(pathBetween(profile, flow.stage, matrix.b), bytes(flow.weight, n * k), steps * tile.parts, 1);
  const out = flow.leaves === "straight" ? spec.out.dtype : flow.acc;
  const drainTo = flow.leaves === "vector" && flow.isWhole ? profile.vector.space : globalSpace;
  const drain =
    sumsOf(spec) *
    copying(
      pathBetween(profile, matrix.c, drainTo),
      bytes(out, m * n),
      tile.parts,
      bytes(out, Math.min(n, partWidth(tile))),
    );
  const share = (memory.bytesPerSecond.value * memory.sustained.value) / (clock.value * 1e6) / working;
  // Weights are read once by those who need them at one time; a stays in the cache.
  const sharing = Math.min(down, working);
  const fromMemory =
    (bytes(spec.w.dtype, n * k) / sharing +
      bytes(spec.a.dtype, m * k) / Math.max(1, Math.min(across, working)) +
      bytes(spec.out.dtype, m * n)) /
    share;
  const hidden = tile.parts > 1 || tile.accs > 1 ? drain / 2 : drain;
  const task = Math.max(cube, load, fill, fromMemory, drain) + (tile.accs > 1 ? 0 : hidden);
  const first = (stage?.latency?.value ?? 0) + load / loads;
  return turns * task + first + drain;
}
