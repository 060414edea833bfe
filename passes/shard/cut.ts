import type { Func, Node, NodeOf, Value } from "../../src/ir/graph.ts";
import type { OpAttrs, OpName } from "../../src/ir/ops/index.ts";
import type { LayerMap } from "../../src/cluster/expert-map.ts";
import type { Box } from "./box.ts";
import type { Part } from "./ranges.ts";

/** One rank's part in a group of ranks: which it is of how many, and the ranks themselves. */
export type Side = Part & { readonly group: readonly number[] };

/** What a rank's function is made with. */
export type Cut = {
  /** The function of one device that is being cut. */
  readonly func: Func;
  readonly tensors: Side;
  readonly experts: Side;
  /** Which rank of the group holds which experts, by layer of experts. */
  readonly held: (layer: number, experts: number) => LayerMap;
  readonly maker: (value: Value) => Node | undefined;
  /** A part of an old value in the rank's function. */
  readonly piece: (value: Value | undefined, box: Box) => Value;
  /** What this rank adds to a part of an old value: the sum over the tensor group is the part. */
  readonly partial: (value: Value | undefined, box: Box) => Value;
  readonly emit: <K extends OpName>(
    op: K,
    operands: readonly Value[],
    attrs: OpAttrs<K>,
    origin: readonly string[],
  ) => Value;
  readonly emitAll: <K extends OpName>(
    op: K,
    operands: readonly Value[],
    attrs: OpAttrs<K>,
    origin: readonly string[],
  ) => readonly Value[];
};

/** How a part of an operator's results is made from parts of its operands; undefined where it must be cut out of the whole. */
export type PieceRule<K extends OpName> = (
  cut: Cut,
  node: NodeOf<K>,
  box: Box,
) => Value | readonly Value[] | undefined;
