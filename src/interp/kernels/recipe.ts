import type { Recipe } from "../../tensor/recipe.ts";
import { formats } from "../../tensor/format.ts";
import { rotateBlocks } from "../../tensor/hadamard.ts";
import { bytesOfPart } from "../../tensor/stored-parts.ts";
import type { Quantizer } from "../../tensor/recipe-rows.ts";
import { floats, gatherStrided, sizeOfShape, stridesOf, type Tensor } from "../tensor.ts";
import { concatTensors } from "./shape.ts";
import { tensorFromBytes } from "../stored.ts";

/** A recipe's elements in float32, the slow and obvious way. `read` gives a checkpoint tensor. */
export function evaluateRecipe(r: Recipe, read: (name: string) => Tensor, quantizer: Quantizer): Tensor {
  const inner = (of: Recipe) => evaluateRecipe(of, read, quantizer);
  switch (r.kind) {
    case "source":
      return read(r.name);
    case "literal":
      return floats(r.shape, Float32Array.from(r.values));
    case "cast":
      return inner(r.of);
    case "rotate": {
      const data = Float32Array.from(inner(r.of).data);
      rotateBlocks(data, r.block);
      return floats(r.shape, data);
    }
    case "quantize": {
      const [rows = 1, cols = 1] = r.of.shape;
      const values = Float32Array.from(inner(r.of).data);
      const found = quantizer(values, rows, cols, formats[r.format], r.rounding);
      return tensorFromBytes(r.dtype, r.shape, bytesOfPart(found, r.part, formats[r.format]));
    }
    case "reshape":
      return { ...inner(r.of), shape: r.shape };
    case "concat":
      return concatTensors(r.parts.map(inner), 0, r.shape);
    case "stack":
      return concatTensors(
        r.parts.map((p) => ({ ...inner(p), shape: [1, ...p.shape] })),
        0,
        r.shape,
      );
    case "slice": {
      const strides = stridesOf(r.of.shape);
      return gatherStrided(inner(r.of), r.shape, strides, r.begin * (strides[r.axis] ?? 0));
    }
    case "transpose": {
      const strides = stridesOf(r.of.shape);
      return gatherStrided(inner(r.of), r.shape, [...strides.slice(0, -2), ...strides.slice(-2).reverse()]);
    }
    case "dequantize": {
      const [codes, scale, zero] = [inner(r.of), inner(r.scale), r.zero && inner(r.zero)];
      const zeroWidth = zero?.shape[1] ?? 1;
      const [rows = 1, cols = 1] = r.shape;
      const [blockRows, blockCols] = r.block;
      const gridWidth = scale.shape[1] ?? 1;
      const out = floats([rows, cols], new Float32Array(sizeOfShape(r.shape)));
      for (let i = 0; i < out.data.length; i++) {
        const [row, column] = [Math.floor(i / cols / blockRows), Math.floor((i % cols) / blockCols)];
        const none = zero?.data.length === 1 ? zero.data[0] : zero?.data[row * zeroWidth + column];
        out.data[i] = ((codes.data[i] ?? 0) - (none ?? 0)) * (scale.data[row * gridWidth + column] ?? NaN);
      }
      return { ...out, shape: r.shape };
    }
  }
}
