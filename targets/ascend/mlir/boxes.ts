/** Boxes of arrays in global memory, loaded into tensors and stored from them. */
import { indexValue, type Index, type Writer } from "./writer.ts";
import { numeral, tensorOf, tensorType, type Element, type Tensor } from "./tensors.ts";

/** A parameter of the kernel's: where an array begins. */
export type GlobalArray = { readonly name: string; readonly element: Element };

/** A box of an array: the sizes of a whole one, and how much of it there is at an edge. */
export type Box = {
  readonly array: GlobalArray;
  readonly offset: Index;
  readonly strides: readonly number[];
  readonly sizes: readonly number[];
  readonly valid: readonly Index[];
};

const list = (items: readonly Index[]): string => `[${items.join(", ")}]`;
const dims = (sizes: readonly Index[], element: Element): string =>
  [...sizes.map((it) => (typeof it === "number" ? String(it) : "?")), element].join("x");
const packed = (sizes: readonly number[]): readonly number[] =>
  sizes.map((_, i) => sizes.slice(i + 1).reduce((n, it) => n * it, 1));

/** A view whose first element only the run knows. */
const viewType = (sizes: readonly Index[], element: Element, strides: readonly number[]): string =>
  `memref<${dims(sizes, element)}, strided<${list(strides)}, offset: ?>>`;
const cornerType = (sizes: readonly Index[], element: Element, strides: readonly number[]): string =>
  `memref<${dims(sizes, element)}, strided<${list(strides)}>>`;

const isWhole = ({ sizes, valid }: Box): boolean => valid.every((it, i) => it === sizes[i]);

function viewOf(
  w: Writer,
  hint: string,
  { array, offset, strides, sizes }: Box,
): { readonly name: string; readonly type: string } {
  const at = indexValue(w, offset);
  const type = viewType(sizes, array.element, strides);
  const name = w.value(
    `${hint}.view`,
    `memref.reinterpret_cast %${array.name}.given to offset: [${at}], sizes: ${list(sizes)}, strides: ${list(strides)} : memref<?x${array.element}> to ${type}`,
  );
  return { name, type };
}

const subview = (
  w: Writer,
  hint: string,
  from: string,
  { sizes, valid }: Box,
  fromType: string,
  toType: string,
): string =>
  w.value(
    hint,
    `memref.subview ${from}${list(sizes.map(() => 0))} ${list(valid)} ${list(sizes.map(() => 1))} : ${fromType} to ${toType}`,
  );

/** A box as a tensor of its whole size; what lies past an edge is whatever was there, or `rest`. */
export function load(w: Writer, hint: string, box: Box, rest?: number): Tensor {
  const { array, strides, sizes, valid } = box;
  const view = viewOf(w, hint, box);
  const local = `memref<${dims(sizes, array.element)}>`;
  const tile = w.value(`${hint}.tile`, `memref.alloc() : ${local}`);
  if (isWhole(box)) w.line(`memref.copy ${view.name}, ${tile} : ${view.type} to ${local}`);
  else {
    if (rest !== undefined) {
      const number = w.value(
        `${hint}.rest`,
        `arith.constant ${numeral(rest, array.element)} : ${array.element}`,
      );
      w.line(`linalg.fill ins(${number} : ${array.element}) outs(${tile} : ${local})`);
    }
    const [part, corner] = [
      viewType(valid, array.element, strides),
      cornerType(valid, array.element, packed(sizes)),
    ];
    const there = subview(w, `${hint}.there`, view.name, box, view.type, part);
    const here = subview(w, `${hint}.here`, tile, box, local, corner);
    w.line(`memref.copy ${there}, ${here} : ${part} to ${corner}`);
  }
  return tensorOf(
    w.value(hint, `bufferization.to_tensor ${tile} restrict writable : ${local}`),
    sizes,
    array.element,
  );
}

/** A tensor into a box, as far as the box goes. */
export function store(w: Writer, hint: string, box: Box, it: Tensor): void {
  const { array, strides, sizes, valid } = box;
  const view = viewOf(w, hint, box);
  const put = (source: string, sourceType: string, target: string, targetType: string): void =>
    w.line(
      `bufferization.materialize_in_destination ${source} in writable ${target} : (${sourceType}, ${targetType}) -> ()`,
    );
  if (isWhole(box)) return put(it.name, it.type, view.name, view.type);
  const part = viewType(valid, array.element, strides);
  const there = subview(w, `${hint}.there`, view.name, box, view.type, part);
  const type = tensorType(valid, array.element);
  const slice = w.value(
    `${hint}.part`,
    `tensor.extract_slice ${it.name}${list(sizes.map(() => 0))} ${list(valid)} ${list(sizes.map(() => 1))} : ${it.type} to ${type}`,
  );
  put(slice, type, there, part);
}

/** A whole number of an array of them, as an index. */
export function readIndex(w: Writer, hint: string, array: GlobalArray, at: Index): `%${string}` {
  const type = `memref<1x${array.element}, strided<[1], offset: ?>>`;
  const view = w.value(
    `${hint}.view`,
    `memref.reinterpret_cast %${array.name}.given to offset: [${indexValue(w, at)}], sizes: [1], strides: [1] : memref<?x${array.element}> to ${type}`,
  );
  const number = w.value(`${hint}.read`, `memref.load ${view}[${indexValue(w, 0)}] : ${type}`);
  return w.value(hint, `arith.index_cast ${number} : ${array.element} to index`);
}

/** An index into an array of whole numbers. */
export function writeIndex(w: Writer, array: GlobalArray, at: Index, value: Index): void {
  const type = `memref<1x${array.element}, strided<[1], offset: ?>>`;
  const view = w.value(
    `${array.name}.view`,
    `memref.reinterpret_cast %${array.name}.given to offset: [${indexValue(w, at)}], sizes: [1], strides: [1] : memref<?x${array.element}> to ${type}`,
  );
  const number = w.value(
    `${array.name}.number`,
    `arith.index_cast ${indexValue(w, value)} : index to ${array.element}`,
  );
  w.line(`memref.store ${number}, ${view}[${indexValue(w, 0)}] : ${type}`);
}
