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

/** The results of a node that has two. */
function two(node: Node): readonly [Value, Value] {
  const [a, b] = node.results;
  if (!a || !b) throw new Error(`${node.op} has two results`);
  return [a, b];
}

const one = (node: Node): Value => {
  const [value] = node.results;
  if (!value) throw new Error(`${node.op} has a result`);
  return value;
};

const smallestGroup = 8;

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b));

/**
 * The shape in which rows of a cache are rounded, the last axis behind one scale. Rows joined of parts, as latent attention's are of a normed
 * latent and a rotary key, are cut so that no scale covers two of them.
 */
function groupedDims(rows: Value, maker: Node | undefined): readonly Dim[] {
  const { dims } = rows.type;
  const width = Number(dims[1]);
  if (dims.length !== 2 || !isOp(maker, "concat") || maker.attrs.axis !== 1) return dims;
  const group = maker.operands.map((part) => Number(part.type.dims[1])).reduce(commonDivisor);
  return group >= smallestGroup ? [dims[0] ?? 1, width / group, group] : dims;
}

/** Caches of one function as int8 with a scale for each row of a position. */
function quantizeCachesOf(func: Func): Func {
  const params: Param[] = [...func.params];
  const results = [...func.results];
  const renewed = new Map<Value, Value>();
  const made = definitions(func);
  const append = (node: Node, cache: Param, rows: Value): readonly Node[] => {
    const scalesName = `${cache.name}.scales`;
    const old = one(node);
    const [positions = 0] = cache.type.dims;
    const inner = groupedDims(rows, made.get(rows)).slice(1);
    const codes: Param = { name: cache.name, type: { dtype: "i8", dims: [positions, ...inner] } };
    const scales: Param = {
      name: scalesName,
      type: { dtype: "f32", dims: [positions, ...inner.slice(0, -1)] },
    };
    const shaped = (value: Value, dims: readonly Dim[]): readonly Node[] =>
      dims.length === value.type.dims.length ? [] : [makeNode("reshape", [value], { dims }, node.origin)];
    params.splice(params.indexOf(cache), 1, codes, scales);
    const before = shaped(rows, [rows.type.dims[0] ?? 1, ...inner]);
    const rounded = makeNode("quantizeRows", [before[0] ? one(before[0]) : rows], {}, node.origin);
    const [newCodes, newScales] = two(rounded);
    const grownCodes = makeNode("cacheAppend", [codes, newCodes], {}, node.origin);
    const grownScales = makeNode("cacheAppend", [scales, newScales], {}, node.origin);
    const restored = makeNode("dequantizeRows", [one(grownCodes), one(grownScales)], {}, node.origin);
    const behind = shaped(one(restored), old.type.dims);
    renewed.set(old, one(behind[0] ?? restored));
    const at = results.findIndex((it) => it.value === old);
    results.splice(
      at,
      at < 0 ? 0 : 1,
      { name: cache.name, value: one(grownCodes) },
      { name: scalesName, value: one(grownScales) },
    );
    return [...before, rounded, grownCodes, grownScales, restored, ...behind];
  };
  const body = func.body.flatMap((node): readonly Node[] => {
    const [cache, rows] = node.operands.map((it) => renewed.get(it) ?? it);
    const param = params.find((it) => it === cache);
    if (
      isOp(node, "cacheAppend") &&
      param &&
      rows &&
      param.type.dtype === "f32" &&
      param.type.dims.length > 1
    )
      return append(node, param, rows);
    return [{ ...node, operands: node.operands.map((it) => renewed.get(it) ?? it) }];
  });
  return { ...func, params, body, results };
}

/**
 * cacheAppend(cache, rows) ⟶ dequantizeRows of caches of codes and of scales that grow by quantizeRows(rows): a row of a position, of a head where
 * there are heads, of a group where the row is joined of parts, is kept as int8 and one float32. The functions take and give two caches where they took one.
 */
export const quantizeCaches = ({ funcs }: Module): Module => ({ funcs: funcs.map(quantizeCachesOf) });
