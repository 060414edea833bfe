import type { DType } from "../../../src/tensor/dtype.ts";
import type { Element } from "./tensors.ts";

const elements: { readonly [K in DType]?: Element } = {
  f32: "f32",
  bf16: "bf16",
  f16: "f16",
  i8: "i8",
  i32: "i32",
};

/** What arrays of a dtype are made of, or undefined where the compiler has no such; numbers of 4 bits lie two in a byte. */
export const storedElement = (dtype: DType): Element | undefined => (dtype === "i4" ? "i8" : elements[dtype]);

/** What MLIR calls a dtype that there is known to be. */
export function elementOf(dtype: DType): Element {
  const found = elements[dtype];
  if (!found) throw new Error(`the compiler has no ${dtype}`);
  return found;
}
