import { attention } from "./attention.ts";
import { groupedLinear, headLinear, linear } from "./linear.ts";
import { hadamard } from "./hadamard.ts";
import { mathFunctions } from "./math.ts";
import { isMatrixSpec, matrixOf } from "./matrix.ts";
import { dequantizeRows, quantizeRows } from "./quantize.ts";
import { expertGroups, router } from "./router.ts";
import { addRmsNorm, binary, combine, copy, embed, rmsNorm, rope, siluRows, swiglu } from "./rowwise.ts";
import { kernelName, type KernelSpec } from "./spec.ts";
import { tileTexts } from "./tiles/tile.ts";

/** The WebAssembly text of one kernel. */
function kernelText(s: KernelSpec): string {
  const name = kernelName(s);
  switch (s.kind) {
    case "linear":
    case "integerLinear":
      return linear(name, s);
    case "headLinear":
      return headLinear(name, s);
    case "groupedLinear":
    case "groupedIntegerLinear":
      return groupedLinear(name, s);
    case "hadamard":
      return hadamard(name, s);
    case "quantizeRows":
      return quantizeRows(name, s);
    case "dequantizeRows":
      return dequantizeRows(name, s);
    case "attention":
      return attention(name, s);
    case "router":
      return router(name, s);
    case "expertGroups":
      return expertGroups(name, s);
    case "combine":
      return combine(name, s);
    case "rmsNorm":
      return rmsNorm(name, s);
    case "addRmsNorm":
      return addRmsNorm(name, s);
    case "rope":
      return rope(name, s);
    case "add":
    case "mul":
      return binary(name, s);
    case "silu":
      return siluRows(name, s);
    case "swiglu":
      return swiglu(name, s);
    case "copy":
      return copy(name, s);
    case "embed":
      return embed(name, s);
  }
}

/** All kernels as one WebAssembly text; tiles that several matrix kernels share stand once. */
export function kernelsText(specs: readonly KernelSpec[]): string {
  const shared = new Map<string, string>();
  for (const s of specs.filter(isMatrixSpec))
    for (const [name, text] of tileTexts(matrixOf(s).tile, s.n)) shared.set(name, text);
  const functions = [...mathFunctions, ...shared.values(), ...specs.map(kernelText)];
  return `(module (import "env" "memory" (memory 1 65536 shared)) ${functions.join("\n")})`;
}
