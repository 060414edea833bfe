import {
  definitions,
  isOp,
  type Func,
  type Module,
  type Node,
  type Param,
  type Value,
} from "../../src/ir/graph.ts";
import type { OpName } from "../../src/ir/ops/index.ts";
import { layerInOrder, type LayerMap } from "../../src/cluster/expert-map.ts";
import {
  expertGroup,
  expertRanks,
  groupAlong,
  placeOf,
  tokenGroup,
  type Mesh,
} from "../../src/cluster/mesh.ts";
import { boxOf, whole, type Box } from "./box.ts";
import { appended, cacheBox, groupCaches, paramOf } from "./caches.ts";
import { sliced, type Cut, type PieceRule, type RankPlace, type Side } from "./cut.ts";
import { emitter } from "./emitter.ts";
import { isMixture, mixturePiece } from "./mixture.ts";
import { pieceRules } from "./pieces.ts";
import { shareOf, tokenRange } from "./ranges.ts";
import { isOfHeads, isProduct } from "./row-parallel.ts";
import { normAtEnd, received, sent } from "./stage-ends.ts";
import { stagesOf } from "./stages.ts";
import { addend, isPartial, reduced, summed } from "./sums.ts";

/** How a module is to be cut for many ranks. */
export type Sharding = {
  readonly mesh: Mesh;
  /** Which rank of an expert group holds which experts, by layer of experts; in order where it is not said. */
  readonly held?: Cut["held"];
};

const inOrder =
  (ranks: number): Cut["held"] =>
  (_, experts): LayerMap =>
    layerInOrder(experts, ranks, 0);

/** Cuts a module: gives each rank's, the same phases with its part of the work and the collectives that make it whole. */
export function sharder(module: Module, { mesh, held }: Sharding): (rank: number) => Module {
  const stages = module.funcs.map((func) => stagesOf(func, mesh.pp));
  return (rank) => {
    const place = placeOf(mesh, rank);
    const side = (group: readonly number[]): Side => ({
      of: group.length,
      index: group.indexOf(rank),
      group,
    });
    const line = groupAlong(mesh, place, "pp");
    const sides = {
      tensors: side(groupAlong(mesh, place, "tp")),
      experts: side(expertGroup(mesh, place)),
      tokens: side(tokenGroup(mesh, place)),
      held: held ?? inOrder(expertRanks(mesh)),
    };
    return {
      funcs: module.funcs.map((func, i) => {
        const stage = stages[i]?.[place.pp];
        if (!stage) throw new Error("there are as many stages as were asked for");
        const station = { stage, before: line[place.pp - 1], self: rank, behind: line[place.pp + 1] };
        return shardFunc(func, { ...sides, station });
      }),
    };
  };
}

/** Tables and heads are cut by columns of what they give; undefined for any other value. */
function splitByColumns(cut: Cut, node: Node, value: Value): Value | undefined {
  const axis = value.type.dims.length - 1;
  const isHead = isProduct(node) && cut.station.stage.logits.has(value);
  if (cut.tensors.of === 1 || !(isHead || isOp(node, "gather"))) return undefined;
  const size = Number(value.type.dims[axis]);
  const columns = shareOf(size, 1, cut.tensors, isHead ? "rows of the head" : "columns of the embedding");
  const part = cut.piece(value, boxOf(axis, columns));
  return cut.emit("allGather", [part], { group: cut.tensors.group, axis, size }, node.origin);
}

/** All results of a node, where no part is asked for. */
function wholeOf(cut: Cut, node: Node, value: Value): Value | readonly Value[] {
  const together = summed(cut, value, node.origin) ?? splitByColumns(cut, node, value);
  if (together) return together;
  if (isOp(node, "cacheAppend")) return appended(cut, node, whole);
  if (isMixture(node) && cut.experts.of > 1) return mixturePiece(cut, node, whole);
  const operands = node.operands.map((v) => cut.piece(v, whole));
  return cut.emitAll(node.op, operands, node.attrs as never, node.origin); // of the same operator
}

/** A part of a node's results. */
function partOf(cut: Cut, node: Node, value: Value, box: Box): Value | readonly Value[] {
  if (box.size === 0) return wholeOf(cut, node, value);
  if (isOp(node, "cacheAppend")) return appended(cut, node, box);
  // Of a rank's own tokens the others of its tensor group have none: no sum, but whole weights, and heads of all.
  const isOwn = cut.tokens.of > 1 && box.has(0);
  if (isPartial(cut, value) && !isOwn) return reduced(cut, value, box, node.origin);
  if (isMixture(node)) return mixturePiece(cut, node, box);
  const rule =
    isOwn && isOfHeads(cut, node) ? undefined : (pieceRules[node.op] as PieceRule<OpName> | undefined);
  return (
    rule?.(cut, node as never, box) ?? // the table gives each operator its own node type
    node.results.map((v) => sliced(cut, cut.piece(v, whole), box, node.origin))
  );
}

/** A part of a value: of what another stage sends, of a parameter, or made. */
function pieceOf(cut: Cut, params: ReadonlyMap<Value, Param>, value: Value | undefined, box: Box): Value {
  if (!value) throw new Error("an operand is absent that the operator's definition requires");
  const node = cut.maker(value);
  if (!node) return sliced(cut, params.get(value) ?? value, box, []);
  if (value === cut.station.stage.incoming) return sliced(cut, received(cut, node, value), box, node.origin);
  const atEnd = isOp(node, "addRmsNorm") ? normAtEnd(cut, node, value) : undefined;
  if (atEnd) return sliced(cut, atEnd, box, node.origin);
  const results = cut.once("piece", node, box, () => partOf(cut, node, value, box));
  return results[node.results.length > 1 ? node.results.indexOf(value) : 0] ?? value;
}

/** Whether a value is one from which the next is not far: so no chain of demands is as long as the model is deep. */
const isLandmark = (node: Node): boolean =>
  isOp(node, "addRmsNorm") || (isOp(node, "rmsNorm") && node.results[0]?.type.dims.length === 2);

function shardFunc(func: Func, place: RankPlace): Func {
  const made = definitions(func);
  const maker: Cut["maker"] = (value) => made.get(value);
  const { body, ...emitting } = emitter(func);
  const groups = groupCaches(func, maker);
  const params = new Map(func.params.map((it) => [it, paramOf({ groups, tensors: place.tensors }, it)]));
  const cut: Cut = {
    ...place,
    ...emitting,
    func,
    maker,
    groups,
    own: tokenRange(func.params[0]?.type.dims[0] ?? 1, place.tokens),
    piece: (value, box) => pieceOf(cut, params, value, box),
    partial: (value, box) => addend(cut, value, box),
  };
  const { stage } = place.station;
  for (const node of func.body)
    if (isLandmark(node) && stage.nodes.has(node)) cut.piece(node.results[0], whole);
  const results = stage.results.map(({ name, value }) => ({
    name,
    value: cut.piece(value, cacheBox(cut, value)),
  }));
  const out = sent(cut);
  // Ids and positions go into every stage, whether it reads them or not.
  const read = new Set(body.flatMap((node) => node.operands));
  const kept = [...params.values()].filter((it, i) => i < 2 || read.has(it));
  return {
    name: func.name,
    params: kept,
    body,
    results: out ? [...results, { name: "sent", value: out }] : results,
  };
}
