import type { CombineSpec, PermuteSpec } from "../../../device/kernels/vector/permute.ts";
import { load, readIndex, store, writeIndex, type GlobalArray } from "../boxes.ts";
import { elementOf } from "../elements.ts";
import type { Scope } from "../kernel.ts";
import { alongRows, binary, converted, filled, like, type Tensor } from "../tensors.ts";
import {
  carrying,
  ceilOver,
  indexValue,
  loop,
  minus,
  over,
  plus,
  times,
  when,
  type Carried,
  type Index,
  type Writer,
} from "../writer.ts";
import { boxOf, columnBox, evenPart, overColumns, overRows, type Block } from "./rows.ts";

const wholes = (name: string): GlobalArray => ({ name, element: "i32" });

/** Numbers of a row that are taken at a time. */
const most = 8192;

/** Lines with the place of a slot; none for a slot of an expert elsewhere. */
function placed(w: Writer, partial: boolean, slot: Index, body: (place: Index) => void): void {
  const own = (): void => body(readIndex(w, "place", wholes("place"), slot));
  if (partial) when(w, "sge", readIndex(w, "expert", wholes("indices"), slot), 0, own);
  else own();
}

/**
 * The list of blocks of some height, each of rows of one expert: the expert and the first row of each, and how many they are; by the scalar unit of one
 * core.
 */
function listBlocks({ w, size }: Scope, experts: number, topK: number, height: number): void {
  const [list, count] = [wholes(`blocks${height}`), wholes(`blockCount${height}`)];
  const room = plus(w, "room", over(w, "heights", times(w, "slots", size("S"), topK), height), experts);
  const none: Carried = { name: indexValue(w, 0), type: "index" };
  const [all = none] = carrying(w, "e", [0, experts, 1], [none], (e, [first = none]) => {
    const begin = readIndex(w, "begin", wholes("offsets"), e);
    const end = readIndex(w, "end", wholes("offsets"), plus(w, "e.next", e, 1));
    const blocks = ceilOver(w, "blocks", minus(w, "rows", end, begin), height);
    loop(w, "b", [0, blocks, 1], (b) => {
      const at = plus(w, "at", first.name, b);
      writeIndex(w, list, at, e);
      writeIndex(w, list, plus(w, "at.row", room, at), plus(w, "row", begin, times(w, "below", b, height)));
    });
    return [{ name: indexValue(w, plus(w, "listed", first.name, blocks)), type: "index" }];
  });
  writeIndex(w, count, 0, all.name);
}

/** What a body makes of `sum`, given the place of a slot; `sum` itself where the slot is of an expert elsewhere. */
function added(
  w: Writer,
  partial: boolean,
  slot: Index,
  sum: Tensor,
  body: (place: Index) => Tensor,
): Tensor {
  const own = (): Tensor => body(readIndex(w, "place", wholes("place"), slot));
  if (!partial) return own();
  const expert = readIndex(w, "expert", wholes("indices"), slot);
  const isHere = w.value("is.here", `arith.cmpi sge, ${expert}, ${indexValue(w, 0)} : index`);
  const name = w.fresh("sum.here");
  const give = (it: Tensor): void => w.line(`scf.yield ${it.name} : ${it.type}`);
  w.block(`${name} = scf.if ${isHere} -> (${sum.type}) {`, () => give(own()), "} else {");
  w.line(`  scf.yield ${sum.name} : ${sum.type}`);
  w.line("}");
  return { ...sum, name };
}

/** Each token's row to the places of its slots, and the lists of blocks that these make. */
export function permuteRows(scope: Scope, { x, topK, scaled, partial, blocks }: PermuteSpec): void {
  const { w, core, size } = scope;
  const { width, dtype } = x;
  const part = evenPart(width, most);
  when(w, "eq", core, 0, () => {
    for (const height of blocks.heights) listBlocks(scope, blocks.experts, topK, height);
  });
  overRows(scope, size("S"), 1, width, (block) => {
    const eachSlot = (body: (at: Block) => void): void =>
      loop(w, "slot", [0, topK, 1], (j) =>
        placed(w, partial, plus(w, "at", times(w, "token", block.row, topK), j), (row) =>
          body({ ...block, row }),
        ),
      );
    overColumns(w, block, part, (here) => {
      const row = load(w, "x", boxOf(w, "x", x, here));
      eachSlot(({ row: at }) =>
        store(w, "rows", boxOf(w, "rows", { dtype, width }, { ...here, row: at }), row),
      );
    });
    if (!scaled) return;
    const scale = load(w, "scales", columnBox("scales", "f32", block));
    eachSlot((at) => store(w, "rowScales", columnBox("rowScales", "f32", at), scale));
  });
}

/** Each token's rows by their weights, summed in the order of its choices. */
export function combineRows(scope: Scope, { rows, out, topK, partial }: CombineSpec): void {
  const { w, size } = scope;
  const { width } = out;
  overRows(scope, size("S"), 1, width, (block) =>
    overColumns(w, block, evenPart(width, most), (here) => {
      const none = filled(w, "none", 0, [1, here.columns], "f32");
      const [total] = carrying(w, "slot", [0, topK, 1], [none], (j, [sum]) => {
        const slot = plus(w, "at", times(w, "token", block.row, topK), j);
        const sums = like(sum, none);
        const now = added(w, partial, slot, sums, (place) => {
          const box = boxOf(w, "rows", { dtype: rows, width }, { ...here, row: place });
          const row = converted(w, "row", load(w, "rows", box), "f32");
          const share = load(w, "share", columnBox("weights", "f32", { ...here, row: slot }));
          const own = binary(w, "own", "arith.mulf", row, alongRows(w, "share.wide", share, row));
          return binary(w, "sum.now", "arith.addf", sums, own);
        });
        return [now];
      });
      store(w, "out", boxOf(w, "out", out, here), converted(w, "y", like(total, none), elementOf(out.dtype)));
    }),
  );
}
