/** Products of matrices as schedules, for any machine and any legal tile. */
import type { Profile } from "../../../../src/machine/profile.ts";
import type { Kernel } from "../../../../src/machine/schedule/kernel.ts";
import { named, typesOf } from "../name.ts";
import { mostBlocks } from "../vector/row-blocks.ts";
import { kernelOf, lines, tensor } from "../vector/tile.ts";
import { readAhead, readBehind, readOut } from "./ahead.ts";
import { flowOf, type Flow } from "./flow.ts";
import { makeWeights } from "./made.ts";
import { accumulatorFlags, emptied, held, product, stored, stores, straight, sumsBox } from "./product.ts";
import { pieceWork, piecesOf } from "./results.ts";
import { vectorRows } from "./room.ts";
import { depthOf, groupsOf, isFractal, matricesOf, sumsOf, widthOf, type GemmSpec } from "./spec.ts";
import { tasks } from "./tasks.ts";
import type { Tile } from "./tile.ts";

/** Tiles that are on their way between the cores of a group at a time: of sums so many that their way through memory does not hold up the next. */
const slots = { sums: 3, weights: 2 } as const;

/** Numbers of the signals between cores. */
const signals = { sumsFree: 0, sumsThere: 3, weightsFree: 6, weightsThere: 8 } as const;

/**
 * The kernel of a product. Tensors: `a`, `w`, `out`, and as the spec asks `aScales` [S, 1], `scales` and `zeros` [groups, n], `bias` [n], `offsets` and the
 * `blocks` i32 [2, ..] and `blockCount` i32 [1] of the tile's rows.
 * Launch size: S, the rows of a. Throws `device/no-product` where the machine does not multiply such operands.
 */
export function gemm(profile: Profile, spec: GemmSpec, tile: Tile): Kernel {
  const flow = flowOf(profile, spec);
  const text = lines(
    `kernel ${nameOf(spec, tile)} for ${profile.name}`,
    "size S",
    tensors(spec, tile),
    !flow.isWhole &&
      flow.leaves === "vector" &&
      `tensor sums: ${flow.acc}[${slots.sums * tile.area.m}, ${tile.area.n}] shared`,
    !flow.isWhole &&
      flow.isMade &&
      `tensor made: ${flow.weight}[${slots.weights * tile.area.n}, ${tile.staged.k}] shared`,
    ...(flow.isWhole ? [whole(profile, flow, spec, tile)] : split(profile, flow, spec, tile)),
  );
  return kernelOf(profile, text);
}

/** Such as `linear_176x192_bf16_t16x176x192`: the matrix [n, k], what it is multiplied as, the tile of m, n and k. */
function nameOf(spec: GemmSpec, { area, staged }: Tile): string {
  const { w, experts, a, out } = spec;
  const product = w.kind === "integer" ? "integerLinear" : "linear";
  const op = experts !== undefined ? `${product}${experts}experts` : a.heads !== undefined ? `headLinear${a.heads}` : product; // prettier-ignore
  const size = `${widthOf(spec)}x${depthOf(spec)}`;
  const types =
    w.kind === "plain" ? typesOf(a.dtype, out.dtype) : `${w.dtype}_${typesOf(a.dtype, out.dtype)}`;
  return named(op, size, types, `t${area.m}x${area.n}x${staged.k}`);
}

function tensors(spec: GemmSpec, tile: Tile): string {
  const { a, w, out, bias, experts } = spec;
  const of = matricesOf(spec) > 1 || experts !== undefined ? `${matricesOf(spec)}, ` : "";
  const perGroup = `f32[${of}${groupsOf(spec)}, ${widthOf(spec)}] in`;
  return lines(
    tensor("a", a, "in"),
    w.kind === "integer" && "tensor aScales: f32[S, 1] in",
    `tensor w: ${w.dtype}[${of}${widthOf(spec)}, ${depthOf(spec)}]${isFractal(spec) ? " nz" : ""} in`,
    w.kind !== "plain" && `tensor scales: ${perGroup}`,
    w.kind === "coded" && w.zeros && `tensor zeros: ${perGroup}`,
    bias && `tensor bias: f32[${widthOf(spec)}] in`,
    experts !== undefined &&
      lines(
        `tensor offsets: i32[${experts + 1}] in`,
        `tensor blocks: i32[2, ${mostBlocks(experts, "S", tile.area.m)}] in`,
        "tensor blockCount: i32[1] in",
      ),
    tensor("out", out, "out"),
  );
}

/** One core with both units: sums go on to the vector unit, weights come from it, in the core's own spaces. */
function whole(profile: Profile, flow: Flow, spec: GemmSpec, tile: Tile): string {
  const rows = vectorRows(profile, spec, tile);
  const supply = flow.isMade
    ? lines(
        "let low = 0",
        "let lot = cols",
        makeWeights(profile, flow, spec, tile, rows.made, (it) => `w1[${it}, 0 : depth]`),
      )
    : stored(spec);
  const works =
    flow.leaves === "vector"
      ? piecesOf(flow, tile).map((it) => pieceWork(profile, flow, spec, tile, it, rows.out))
      : [];
  const leave =
    flow.leaves === "straight"
      ? straight(profile, flow, spec, tile)
      : lines(
          ...works.map((it, p) =>
            emptied(
              profile,
              flow,
              tile,
              p,
              it.each((r) => sumsBox(tile, p, r)),
            ),
          ),
        );
  return lines(
    `on ${profile.matrix.core} {`,
    accumulatorFlags(profile, flow, tile, "set"),
    tasks(
      spec,
      tile,
      lines(
        flow.leaves === "vector" && lines("let top = 0", "let mine = rows"),
        ...works.map((it) => it.begin),
        product(profile, flow, spec, tile, supply, leave),
        ...works.map((it) => it.end),
      ),
      held(flow, spec, tile),
    ),
    accumulatorFlags(profile, flow, tile, "wait"),
    "}",
  );
}

/** Cores of each unit: what they hand each other goes through memory, each turn in another of its slots. */
function split(profile: Profile, flow: Flow, spec: GemmSpec, tile: Tile): readonly string[] {
  const { matrix, vector } = profile;
  const rows = vectorRows(profile, spec, tile);
  const isLeaving = flow.leaves === "vector";
  const sumsSlot = `let slot = turn mod ${slots.sums} * ${tile.area.m}`;
  const weightsSlot = `turn mod ${slots.weights} * ${tile.area.n}`;
  const handOver = lines(
    sumsSlot,
    `await ${vector.core} -> ${flow.drain} #${signals.sumsFree} x${slots.sums}`,
    stores(profile, flow, tile, (r, c) => `sums[slot + ${r}, ${c}]`),
    `signal ${flow.drain} -> ${vector.core} #${signals.sumsThere} x${slots.sums}`,
  );
  const supply = flow.isMade
    ? lines(
        `await ${vector.core} -> ${flow.load} #${signals.weightsThere} x${slots.weights}`,
        `copy made[${weightsSlot} : cols, 0 : depth] -> w1[0 : cols, 0 : depth]`,
        `signal ${flow.load} -> ${vector.core} #${signals.weightsFree} x${slots.weights}`,
      )
    : stored(spec);
  const works = isLeaving
    ? piecesOf(flow, tile).map((it) => pieceWork(profile, flow, spec, tile, it, rows.out))
    : [];
  const takeSums = lines(
    sumsSlot,
    `await ${matrix.core} -> ${flow.vectorLoad} #${signals.sumsThere} x${slots.sums}`,
    ...works.map((it) => it.each((r) => `sums[slot + ${r}, 0 : cols]`)),
    `signal ${flow.vectorLoad} -> ${matrix.core} #${signals.sumsFree} x${slots.sums}`,
  );
  const giveWeights = lines(
    "let half = ceil(cols, cores)",
    "let low = min(cols, core * half)",
    "let lot = min(half, cols - low)",
    `for k in from .. to step ${tile.staged.k} {`,
    `let depth = min(${tile.staged.k}, to - k)`,
    `let slot = ${weightsSlot}`,
    `await ${matrix.core} -> ${flow.vectorStore} #${signals.weightsFree} x${slots.weights}`,
    makeWeights(profile, flow, spec, tile, rows.made, (it) => `made[slot + ${it}, 0 : depth]`),
    `signal ${flow.vectorStore} -> ${matrix.core} #${signals.weightsThere} x${slots.weights}`,
    "}",
  );
  const each = lines(flow.isMade && giveWeights, isLeaving && takeSums);
  const sums = sumsOf(spec);
  const group = spec.w.kind === "integer" ? spec.w.group : depthOf(spec);
  const beside = lines(
    isLeaving &&
      lines(
        `let half = ceil(rows, cores)`,
        "let top = min(rows, core * half)",
        "let mine = min(half, rows - top)",
      ),
    ...works.map((it) => it.begin),
    sums > 1
      ? lines(
          `for g in 0 .. ${sums} {`,
          `let from = g * ${group}`,
          `let to = min(${depthOf(spec)}, from + ${group})`,
          each,
          "}",
        )
      : lines("let from = 0", `let to = ${depthOf(spec)}`, each),
    ...works.map((it) => it.end),
  );
  const free = (
    core: string,
    kind: "signal" | "await",
    engine: string,
    of: keyof typeof slots,
  ): readonly string[] =>
    Array.from({ length: slots[of] }, (_, i) => {
      const id = signals[`${of}Free`] + i;
      return kind === "signal" ? `signal ${engine} -> ${core} #${id}` : `await ${core} -> ${engine} #${id}`;
    });
  return [
    `on ${matrix.core} {`,
    accumulatorFlags(profile, flow, tile, "set"),
    ...(flow.isMade ? free(vector.core, "signal", flow.load, "weights") : []),
    readBehind(profile, flow, tile).begin,
    tasks(
      spec,
      tile,
      product(profile, flow, spec, tile, supply, isLeaving ? handOver : straight(profile, flow, spec, tile)),
      held(flow, spec, tile),
    ),
    accumulatorFlags(profile, flow, tile, "wait"),
    ...(isLeaving ? free(vector.core, "await", flow.drain, "sums") : []),
    "}",
    ...(isLeaving || flow.isMade
      ? [
          `on ${vector.core} {`,
          ...(isLeaving ? free(matrix.core, "signal", flow.vectorLoad, "sums") : []),
          tasks(spec, tile, beside),
          ...(flow.isMade ? free(matrix.core, "await", flow.vectorStore, "weights") : []),
          "}",
        ]
      : []),
    ...(tile.staged.ahead === undefined
      ? []
      : [`on ${vector.core} {`, tasks(spec, tile, readAhead(profile, flow, spec, tile)), readOut(profile, flow, tile), "}"]), // prettier-ignore
  ];
}
