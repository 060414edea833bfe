import type { Func, Node, NodeOf, Value } from "../../src/ir/graph.ts";
import type { OpAttrs, OpName } from "../../src/ir/ops/index.ts";
import type { LayerMap } from "../../src/cluster/expert-map.ts";
import type { Box, Range } from "./box.ts";
import type { Part } from "./ranges.ts";
import type { Stage } from "./stages.ts";

/** One rank's part in a group of ranks: which it is of how many, and the ranks themselves. */
export type Side = Part & { readonly group: readonly number[] };

/** A stage and the ranks on both sides of it. */
export type Station = {
  readonly stage: Stage;
  readonly before: number | undefined;
  readonly self: number;
  readonly behind: number | undefined;
};

/** What a rank is among the others. */
export type RankPlace = {
  readonly tensors: Side;
  /** The ranks that share the experts, those with other sequences among them; one where every rank has a part of each expert. */
  readonly experts: Side;
  /** Those of them that share this rank's tokens: each routes some. */
  readonly tokens: Side;
  /** Which rank of the expert group holds which experts, by layer of experts. */
  readonly held: (layer: number, experts: number) => LayerMap;
  readonly station: Station;
};

/** What a rank's function is made with. */
export type Cut = RankPlace & {
  /** The function of one device that is being cut. */
  readonly func: Func;
  readonly maker: (value: Value) => Node | undefined;
  /** The tokens of a mixture that this rank routes. */
  readonly own: Range;
  /** How many groups of heads have a cache to themselves, by the cache and by what grew from it. */
  readonly groups: ReadonlyMap<Value, number>;
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
  /** What is made for a part of a node is made once; `kind` tells apart what a node is asked for. */
  readonly once: (
    kind: string,
    node: Node,
    box: Box,
    make: () => Value | readonly Value[],
  ) => readonly Value[];
};

/** How a part of an operator's results is made from parts of its operands; undefined where it must be cut out of the whole. */
export type PieceRule<K extends OpName> = (
  cut: Cut,
  node: NodeOf<K>,
  box: Box,
) => Value | readonly Value[] | undefined;

/** A part of a value that is there whole. */
export const sliced = (cut: Pick<Cut, "emit">, from: Value, box: Box, origin: readonly string[]): Value =>
  [...box].reduce((v, [axis, { begin, end }]) => cut.emit("slice", [v], { axis, begin, end }, origin), from);
