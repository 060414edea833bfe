import {
  cornerType,
  inside,
  listOf,
  localType,
  tensorType,
  viewType,
  type Lines,
  type Size,
} from "./text.ts";

/** A box of an array in global memory: the sizes of a whole tile, and how much of it there is at an edge. */
export type Box = {
  /** Prefix of the names of the values that this box needs. */
  readonly name: string;
  readonly array: string;
  readonly element: string;
  readonly offset: string;
  readonly strides: readonly number[];
  readonly sizes: readonly number[];
  readonly valid: readonly Size[];
};

const packedStrides = (sizes: readonly number[]): readonly number[] =>
  sizes.map((_, i) => sizes.slice(i + 1).reduce((n, it) => n * it, 1));

const isWhole = ({ sizes, valid }: Box): boolean => valid.every((it, i) => it === sizes[i]);

const view = ({ name, array, element, offset, strides, sizes }: Box): string =>
  `%${name}.view = memref.reinterpret_cast %${array} to offset: [%${offset}], sizes: ${listOf(sizes)}, strides: ${listOf(strides)} : memref<?x${element}> to ${viewType(sizes, element, strides)}`;

const subview = (to: string, from: string, { sizes, valid }: Box, fromType: string, toType: string): string =>
  `%${to} = memref.subview %${from}${listOf(sizes.map(() => 0))} ${listOf(valid)} ${listOf(sizes.map(() => 1))} : ${fromType} to ${toType}`;

/** Load a box into a tensor of whole tile size, `%NAME`; what lies past an edge is left as it was found. */
export function load(box: Box): Lines {
  const { name, element, strides, sizes, valid } = box;
  const [whole, local] = [viewType(sizes, element, strides), localType(sizes, element)];
  const [part, corner] = [
    viewType(valid, element, strides),
    cornerType(valid, element, packedStrides(sizes)),
  ];
  const copy = isWhole(box)
    ? [`memref.copy %${name}.view, %${name}.tile : ${whole} to ${local}`]
    : [
        subview(`${name}.there`, `${name}.view`, box, whole, part),
        subview(`${name}.here`, `${name}.tile`, box, local, corner),
        `memref.copy %${name}.there, %${name}.here : ${part} to ${corner}`,
      ];
  return [
    view(box),
    `%${name}.tile = memref.alloc() : ${local}`,
    ...copy,
    `%${name} = bufferization.to_tensor %${name}.tile restrict writable : ${local}`,
  ];
}

/** Store the tensor `value` into a box, as far as the box goes. */
export function store(box: Box, value: string): Lines {
  const { name, element, strides, sizes, valid } = box;
  const [whole, part] = [viewType(sizes, element, strides), viewType(valid, element, strides)];
  const to = (source: string, sourceType: string, target: string, targetType: string): string =>
    `bufferization.materialize_in_destination %${source} in writable %${target} : (${sourceType}, ${targetType}) -> ()`;
  if (isWhole(box)) return [view(box), to(value, tensorType(sizes, element), `${name}.view`, whole)];
  const slice = `%${name}.part = tensor.extract_slice %${value}${listOf(sizes.map(() => 0))} ${listOf(valid)} ${listOf(sizes.map(() => 1))} : ${tensorType(sizes, element)} to ${tensorType(valid, element)}`;
  return [
    view(box),
    subview(`${name}.there`, `${name}.view`, box, whole, part),
    slice,
    to(`${name}.part`, tensorType(valid, element), `${name}.there`, part),
  ];
}

/** A loop `for NAME = from to to step step` around lines. */
export const loop = (name: string, from: string, to: string, step: string, body: Lines): Lines => [
  `scf.for %${name} = %${from} to %${to} step %${step} {`,
  ...inside(body),
  "}",
];
