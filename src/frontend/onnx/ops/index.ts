import type { LoweringTable } from "../lowering.ts";
import { casts } from "./cast.ts";
import { elementwise } from "./elementwise.ts";
import { generate } from "./generate.ts";
import { linear } from "./linear.ts";
import { norm } from "./norm.ts";
import { reduce } from "./reduce.ts";
import { shape } from "./shape.ts";

/** How operators of ai.onnx are lowered, by name. */
export const lowerings: LoweringTable = {
  ...elementwise,
  ...casts,
  ...shape,
  ...reduce,
  ...linear,
  ...norm,
  ...generate,
};
