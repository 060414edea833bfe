import { groupCount, groupWidth } from "../../tensor/format.ts";
import type { RowRounder } from "../../tensor/recipe-rows.ts";
import { bytesOfPart } from "../../tensor/stored-parts.ts";
import { codeRange } from "./nearest.ts";
import { isPlain } from "../quantizer.ts";

type Round = (
  from: number,
  codes: number,
  scales: number,
  rows: number,
  cols: number,
  group: number,
  narrow: number,
  room: number,
  least: number,
  greatest: number,
) => number;

type Exports = {
  readonly memory: WebAssembly.Memory<ArrayBuffer>;
  readonly bf16: Round;
  readonly f32: Round;
};

const pageBytes = 65536;
const aligned = (bytes: number): number => Math.ceil(bytes / 64) * 64 + 64;

/**
 * Rounds rows in memory of its own, bit for bit as `quantizer` does; `code` is `roundingCode`'s. Rows with something not
 * finite it leaves to others.
 */
export function createRowRounder(code: WebAssembly.Module): RowRounder {
  const { memory, ...kernels } = new WebAssembly.Instance(code).exports as Exports; // as roundingCode exports them
  return ({ of, rows, cols, format, rounding, part, fill, out }) => {
    const { dtype } = of;
    if (!isPlain(format) || (dtype !== "bf16" && dtype !== "f32")) return false;
    const bytes = rows * cols * (dtype === "bf16" ? 2 : 4);
    const groups = groupCount(format, cols);
    const codes = aligned(bytes);
    const scales = codes + aligned(rows * cols);
    const room = scales + aligned(rows * groups * 4);
    const missing = room + aligned(groupWidth(format, cols) * 4) - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / pageBytes));
    fill(new Uint8Array(memory.buffer, 0, bytes));
    const [least, greatest] = codeRange(format);
    const fault = kernels[dtype](
      0,
      part === "codes" ? codes : 0,
      scales,
      rows,
      cols,
      groupWidth(format, cols),
      format.scale === "bf16" ? 1 : 0,
      rounding === "clipped" ? room : 0,
      least,
      greatest,
    );
    if (fault > 0) return false;
    const found = {
      codes: new Int8Array(memory.buffer, codes, rows * cols),
      scales: new Float32Array(memory.buffer, scales, rows * groups),
    };
    out.set(bytesOfPart(found, part, format));
    return true;
  };
}
