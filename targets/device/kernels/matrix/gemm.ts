/** Products of matrices as schedules, for any machine and any legal tile. */
import type { Profile } from "../../../../src/machine/profile.ts";
import type { Kernel } from "../../../../src/machine/schedule/kernel.ts";
import { named, typesOf } from "../name.ts";
import { mostBlocks } from "../vector/row-blocks.ts";
import { kernelOf, lines, tensor } from "../vector/tile.ts";
import { flowOf, type Flow } from "./flow.ts";
import { makeWeights } from "./made.ts";
import { accumulatorFlags, emptied, held, product, stored, straight, sumsBox } from "./product.ts";
import { pieceWork, piecesOf } from "./results.ts";
import { vectorRows } from "./room.ts";
import { sharedTensors, split } from "./split.ts";
import { depthOf, groupsOf, isFractal, matricesOf, widthOf, type GemmSpec } from "./spec.ts";
import { tasks } from "./tasks.ts";
import type { Tile } from "./tile.ts";

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
    !flow.isWhole && sharedTensors(profile, flow, spec, tile),
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
      ? piecesOf(flow, spec, tile).map((it) => pieceWork(profile, flow, spec, it, rows.out))
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
