/** How long a tiled product takes, by formula: each engine's work on one tile, the slowest of them, and what does not overlap. */
import { globalSpace, type Path, type Profile } from "../../../src/machine/profile.ts";
import { matrixRate, memoryBytesPerCycle, pathBetween, pathRate } from "../../../src/machine/rates.ts";
import { coresOf } from "../../../src/machine/schedule/cores.ts";
import { dtypes, type DType } from "../../../src/tensor/dtype.ts";
import { flowOf } from "../kernels/matrix/flow.ts";
import { depthOf, matricesOf, sumsOf, widthOf, type GemmSpec } from "../kernels/matrix/spec.ts";
import { partHeight, partWidth, type Tile } from "../kernels/matrix/tile.ts";

const bytes = (dtype: DType, n: number): number => (n * dtypes[dtype].bits) / 8;

/** How much longer rows of so many bytes take than their bytes, as paths move whole units. */
function filling(path: Path | undefined, row: number): number {
  const unit = path?.rowBytes?.value ?? 1;
  return (Math.ceil(row / unit) * unit) / row;
}

/** Cycles of copies of so many bytes in so many instructions. */
const copying = (path: Path | undefined, dtype: DType, total: number, instructions: number): number =>
  path ? instructions * path.startup.value + total / pathRate(path, dtype) : 0;

/** Passes over an element in float32 that the vector unit makes of a sum, and of a weight that it makes, about. */
const passes = { sum: 5, weight: 5 } as const;

/** Estimates the cycles of a product's kernels for so many rows. */
export function estimator(profile: Profile, spec: GemmSpec, rows: number): (tile: Tile) => number {
  const { matrix, vector, memory, groups } = profile;
  const flow = flowOf(profile, spec);
  const rate = matrixRate(profile, spec.a.dtype, flow.weight);
  if (!rate) return () => Infinity;
  const perMatrix = Math.ceil(rows / (spec.experts ?? 1));
  const [wide, deep, matrices, sums] = [widthOf(spec), depthOf(spec), matricesOf(spec), sumsOf(spec)];
  const [a, w] = [spec.a.dtype, spec.w.dtype];
  const stage = pathBetween(profile, globalSpace, flow.stage);
  const [toA, toB] = [pathBetween(profile, flow.stage, matrix.a), pathBetween(profile, flow.stage, matrix.b)];
  const beside = flow.leaves === "vector" && flow.isWhole;
  const out = pathBetween(profile, matrix.c, beside ? vector.space : globalSpace);
  const outType = flow.leaves === "straight" ? spec.out.dtype : flow.acc;
  const vectors = flow.isWhole ? 1 : coresOf(profile, vector.core);
  const chip = memoryBytesPerCycle(profile) * memory.sustained.value;
  return (tile) => {
    const { n, k, step, parts, copies } = tile;
    const [down, across] = [Math.ceil(perMatrix / tile.m), Math.ceil(wide / n)];
    const [m, cols] = [Math.min(tile.m, perMatrix), Math.min(n, wide)];
    const tasks = down * across * matrices;
    // A group takes whole tasks; with experts a task is several tiles, unless they are dealt out.
    const inTask = spec.experts === undefined ? 1 : Math.ceil(down / (tile.deal ?? 1));
    const turns =
      Math.ceil(
        (across * matrices * (spec.experts === undefined ? down : Math.min(down, tile.deal ?? 1))) /
          groups.value,
      ) * inTask;
    const steps = Math.ceil(deep / step);
    const loads = Math.ceil(deep / k);
    const high = Math.ceil(Math.min(m, partHeight(tile)) / rate.m);
    const broad = Math.ceil(Math.min(cols, partWidth(tile)) / rate.n);
    const cube =
      parts * (high * broad * Math.ceil(deep / rate.k) * rate.cycles.value + steps * matrix.startup.value);
    const row = filling(stage, bytes(w, Math.min(k, deep)));
    const load = copying(stage, a, row * (bytes(a, m * deep) + bytes(w, cols * deep)), 2 * loads);
    const again = { a: tile.cut === "columns" ? parts : 1, b: tile.cut === "rows" ? parts : 1 };
    const fill =
      copying(toA, a, again.a * bytes(a, m * deep), steps * parts) +
      copying(toB, flow.weight, again.b * bytes(flow.weight, cols * deep), steps * parts);
    const store = filling(beside ? undefined : out, bytes(outType, Math.min(cols, partWidth(tile))));
    const drain = sums * copying(out, outType, store * bytes(outType, m * cols), parts);
    const sumWork =
      flow.leaves === "vector"
        ? (sums * passes.sum * bytes("f32", m * cols)) / vectors / vector.bytesPerCycle.value
        : 0;
    const weightWork = flow.isMade
      ? (passes.weight * bytes("f32", cols * deep)) / vectors / vector.bytesPerCycle.value
      : 0;
    const lap = cube / sums / loads / parts;
    const exposed =
      tile.accs > 1 ? 0 : parts > 1 ? parts * Math.max(0, drain / sums / parts - lap) * sums : drain;
    const task = Math.max(
      cube + exposed,
      load,
      fill,
      drain,
      sumWork + weightWork,
      copies > 1 ? 0 : load + cube,
    );
    const isCached = bytes(a, rows * deep) + 2 * bytes(w, cols * deep) <= memory.l2Bytes.value;
    const read =
      row * (bytes(a, rows * deep) * (isCached ? 1 : across) + bytes(w, matrices * wide * deep)) +
      bytes(spec.out.dtype, rows * wide);
    const streaming = (read / chip) * ((turns * groups.value) / tasks);
    const head = (stage?.latency?.value ?? 0) + load / loads;
    const tail = drain / sums + cube / loads + fill / loads;
    return Math.max(turns * task, streaming) + head + tail;
  };
}
