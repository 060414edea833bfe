import { binary, empty, everySecond, withNumber, type Tensor } from "../tensors.ts";
import type { Writer } from "../writer.ts";

/**
 * Rows turned by a Hadamard matrix over sqrt(width), by sums and differences of neighbours at distances 1, 2, 4, ... Each step takes neighbours from the
 * same places and puts sums before differences, so that the next finds those twice as far apart side by side.
 */
export function turned(w: Writer, h: Tensor): Tensor {
  const [rows = 1, width = 1] = h.sizes;
  let now = h;
  for (let apart = 1; apart < width; apart *= 2) {
    const [a, b] = [everySecond(w, "first", now, 0), everySecond(w, "second", now, 1)];
    const put = (hint: string, part: Tensor, into: Tensor, at: number): Tensor => ({
      ...into,
      name: w.value(
        hint,
        `tensor.insert_slice ${part.name} into ${into.name}[0, ${at}] [${rows}, ${width / 2}] [1, 1] : ${part.type} into ${into.type}`,
      ),
    });
    const sums = put("sums", binary(w, "sum", "arith.addf", a, b), empty(w, "next", h.sizes, "f32"), 0);
    now = put("next", binary(w, "difference", "arith.subf", a, b), sums, width / 2);
  }
  return withNumber(w, "turned", "arith.mulf", now, Math.fround(1 / Math.sqrt(width)));
}
