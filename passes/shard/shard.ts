import { makeNode } from "../../src/ir/builder.ts";
import type { Dim } from "../../src/ir/dim.ts";
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
import { groupAlong, placeOf, type Mesh } from "../../src/cluster/mesh.ts";
import { groupCaches } from "./caches.ts";
import { boxKey, boxOf, sameRange, whole, withRange, withoutAxis, type Box, type Range } from "./box.ts";
import type { Cut, PieceRule, Side } from "./cut.ts";
import { isMixture, mixturePiece } from "./mixture.ts";
import { pieceRules } from "./pieces.ts";
import { groupRange, shareOf, tokenRange } from "./ranges.ts";
import { isProduct, isRowParallel, partialProduct } from "./row-parallel.ts";
import { stagesOf, type Stage } from "./stages.ts";

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
    const side = (axis: "tp" | "ep"): Side => ({
      of: mesh[axis],
      index: place[axis],
      group: groupAlong(mesh, place, axis),
    });
    const sides = { tensors: side("tp"), experts: side("ep"), held: held ?? inOrder(mesh.ep) };
    const line = groupAlong(mesh, place, "pp");
    return {
      funcs: module.funcs.map((func, i) => {
        const stage = stages[i]?.[place.pp];
        if (!stage) throw new Error("there are as many stages as were asked for");
        const station = { stage, before: line[place.pp - 1], self: rank, behind: line[place.pp + 1] };
        return shardFunc(func, sides, station);
      }),
    };
  };
}

/** A stage and the ranks on both sides of it. */
type Station = {
  readonly stage: Stage;
  readonly before: number | undefined;
  readonly self: number;
  readonly behind: number | undefined;
};

/** A question about values, asked once of each. */
function remembered(ask: (value: Value) => boolean): (value: Value) => boolean {
  const answers = new Map<Value, boolean>();
  return (value) => {
    const answer = answers.get(value) ?? ask(value);
    answers.set(value, answer);
    return answer;
  };
}

function shardFunc(func: Func, sides: Pick<Cut, "tensors" | "experts" | "held">, at: Station): Func {
  const body: Node[] = [];
  const made = definitions(func);
  const tokens: Dim = func.params[0]?.type.dims[0] ?? 1;
  const own: Range = tokenRange(tokens, sides.experts);
  const params = new Map<Value, Param>();
  const done = new Map<string, readonly Value[]>();
  const numbers = new Map<Node, number>(func.body.map((node, i) => [node, i]));

  const emitAll: Cut["emitAll"] = (op, operands, attrs, origin) => {
    const node = makeNode(op, operands, attrs, origin);
    body.push(node);
    return node.results;
  };
  const emit: Cut["emit"] = (op, operands, attrs, origin) => {
    const [first] = emitAll(op, operands, attrs, origin);
    if (!first) throw new Error(`${op} has no result`);
    return first;
  };

  /** Whether a value is a sum over the tensor group. */
  const isPartial = remembered((value) => {
    const node = made.get(value);
    if (sides.tensors.of === 1 || !node || value === at.stage.incoming) return false;
    return (
      isMixture(node) || isRowParallel(cut, node) || (isOp(node, "add") && node.operands.every(isPartial))
    );
  });
  /** Whether a value is made where its tokens are: by experts, and what is added to their answers. */
  const isOwned = remembered((value) => {
    const node = made.get(value);
    if (sides.experts.of === 1 || !node || value === at.stage.incoming) return false;
    return isMixture(node) || (isOp(node, "add") && node.operands.some(isOwned));
  });

  const once = (kind: string, node: Node, box: Box, make: () => readonly Value[]): readonly Value[] => {
    const key = `${kind} ${numbers.get(node)} ${boxKey(box)}`;
    const known = done.get(key) ?? make();
    done.set(key, known);
    return known;
  };
  const one = (value: Value): readonly Value[] => [value];

  const gathered = (value: Value, part: Value, origin: readonly string[]): Value =>
    emit("allGather", [part], { group: sides.experts.group, axis: 0, size: value.type.dims[0] ?? 0 }, origin);

  const partial: Cut["partial"] = (value, box) => {
    const node = value && made.get(value);
    if (!value || !node) throw new Error("a parameter is no sum");
    const [result] = once("partial", node, box, () => {
      if (isOwned(value) && !box.has(0))
        return one(gathered(value, partial(value, withRange(box, 0, own)), node.origin));
      if (isMixture(node)) return one(mixturePiece(cut, node, box));
      if (isProduct(node)) return one(partialProduct(cut, node, box));
      const parts = node.operands.map((v) => partial(v, box));
      return one(emit("add", parts, {}, node.origin));
    });
    return result ?? value;
  };

  /** The caches of a rank hold its own groups; those without groups are whole everywhere. */
  const groups = groupCaches(func, (value) => made.get(value));
  const cacheBox = (value: Value): Box => {
    const count = groups.get(value) ?? 1;
    return count > 1 && sides.tensors.of > 1 ? boxOf(1, groupRange(count, sides.tensors)) : whole;
  };
  const paramOf = (value: Value): Value => {
    const box = cacheBox(value);
    const dims = value.type.dims.map((d, axis) => {
      const range = box.get(axis);
      return range ? Number(range.end) - Number(range.begin) : d;
    });
    const param = params.get(value) ?? { name: value.name ?? "", type: { ...value.type, dims } };
    params.set(value, param);
    return param;
  };

  const sliced = (from: Value, box: Box, origin: readonly string[]): Value =>
    [...box].reduce((v, [axis, { begin, end }]) => emit("slice", [v], { axis, begin, end }, origin), from);

  /** All results of a node, where no part is asked for. */
  const wholeOf = (node: Node, value: Value): readonly Value[] => {
    const { origin } = node;
    if (isPartial(value))
      return one(emit("allReduce", [partial(value, whole)], { group: sides.tensors.group }, origin));
    if (isOwned(value)) return one(gathered(value, piece(value, boxOf(0, own)), origin));
    if (isOp(node, "cacheAppend")) return one(appended(node, whole));
    const split = splitOver(node, value);
    if (split) return one(split);
    return emitAll(
      node.op,
      node.operands.map((v) => piece(v, whole)),
      node.attrs as never, // of the same operator
      origin,
    );
  };
  /** Tables and heads are cut by columns of what they give. */
  const splitOver = (node: Node, value: Value): Value | undefined => {
    const axis = value.type.dims.length - 1;
    const isHead = isProduct(node) && at.stage.logits.has(value);
    if (sides.tensors.of === 1 || !(isHead || isOp(node, "gather"))) return undefined;
    const size = Number(value.type.dims[axis]);
    const columns = shareOf(size, 1, sides.tensors, isHead ? "rows of the head" : "columns of the embedding");
    const part = piece(value, boxOf(axis, columns));
    return emit("allGather", [part], { group: sides.tensors.group, axis, size }, node.origin);
  };
  const appended = (node: Node, box: Box): Value => {
    const [cache, rows] = node.operands;
    const [out] = node.results;
    if (!cache || !rows || !out) throw new Error("cacheAppend has two operands and a result");
    const mine = cacheBox(out);
    const [grown] = once("cache", node, mine, () =>
      one(emit("cacheAppend", [piece(cache, whole), piece(rows, mine)], {}, node.origin)),
    );
    if (!grown || !sameRange(mine.get(1), box.get(1)))
      throw new Error("a cache is read by parts that this rank has not");
    return sliced(grown, withoutAxis(box, 1), node.origin);
  };

  const pieceOf = (node: Node, value: Value, box: Box): readonly Value[] => {
    if (box.size === 0) return wholeOf(node, value);
    if (isOp(node, "cacheAppend")) return one(appended(node, box));
    if (isPartial(value))
      return one(emit("allReduce", [partial(value, box)], { group: sides.tensors.group }, node.origin));
    if (isMixture(node)) return one(mixturePiece(cut, node, box));
    const rule = pieceRules[node.op] as PieceRule<OpName> | undefined;
    const found = rule?.(cut, node as never, box); // the table gives each operator its own node type
    if (found) return "type" in found ? one(found) : found;
    return node.results.map((v) => sliced(piece(v, whole), box, node.origin));
  };

  const piece: Cut["piece"] = (value, box) => {
    if (!value) throw new Error("an operand is absent that the operator's definition requires");
    const node = made.get(value);
    if (value === at.stage.incoming && node) return sliced(received(node, value), box, node.origin);
    if (!node) return sliced(paramOf(value), box, []);
    const joined = isOp(node, "addRmsNorm") ? normBehind(node, value) : undefined;
    if (joined) return sliced(joined, box, node.origin);
    const results = once("piece", node, box, () => pieceOf(node, value, box));
    return results[node.results.length > 1 ? node.results.indexOf(value) : 0] ?? value;
  };

  /** Where stages meet, a sum and its norm stand on both sides: one adds and sends, the other takes the norm. */
  const normBehind = (node: Node, value: Value): Value | undefined => {
    const [x, residual, gain] = node.operands;
    const [sum] = node.results;
    const { eps } = node.attrs as { readonly eps: number }; // as its definition says
    if (sum && sum === at.stage.incoming)
      return once("norm", node, whole, () =>
        one(emit("rmsNorm", [received(node, sum), piece(gain, whole)], { eps }, node.origin)),
      )[0];
    if (value !== at.stage.outgoing) return undefined;
    return once("sum", node, whole, () =>
      one(emit("add", [piece(x, whole), piece(residual, whole)], {}, node.origin)),
    )[0];
  };
  const received = (node: Node, value: Value): Value => {
    const group = [at.before ?? 0, at.self];
    const [result] = once("recv", node, whole, () =>
      one(emit("recv", [], { group, ...value.type }, node.origin)),
    );
    return result ?? value;
  };

  const cut: Cut = { func, ...sides, maker: (value) => made.get(value), piece, partial, emit, emitAll };

  // Ids and positions go into every stage, whether it reads them or not.
  for (const param of func.params.slice(0, 2)) paramOf(param);
  for (const node of func.body) {
    const [value] = node.results;
    // From norm to norm, so that no chain of demands is as long as the model is deep.
    const isAnchor = isOp(node, "addRmsNorm") || (isOp(node, "rmsNorm") && value?.type.dims.length === 2);
    if (value && isAnchor && at.stage.nodes.has(node)) piece(value, whole);
  }
  const results = at.stage.results.map(({ name, value }) => ({
    name,
    value: piece(value, isOp(made.get(value), "cacheAppend") ? cacheBox(value) : whole),
  }));
  if (at.behind !== undefined && at.stage.outgoing) {
    const out = piece(at.stage.outgoing, whole);
    results.push({ name: "sent", value: emit("send", [out], { group: [at.self, at.behind] }, []) });
  }
  const kept = func.params.flatMap((param) => params.get(param) ?? []);
  return { name: func.name, params: kept, body, results };
}
