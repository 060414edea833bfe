import type { AttrSchema, AttrsOf } from "../attributes.ts";
import type { OpDefinition } from "../define-op.ts";
import { attentionOps } from "./attention.ts";
import { bitOps } from "./bits.ts";
import { collectiveOps } from "./collective.ts";
import { elementwiseOps } from "./elementwise.ts";
import { gatherOps } from "./gather.ts";
import { linearOps } from "./linear.ts";
import { moeOps } from "./moe.ts";
import { normOps } from "./norm.ts";
import { quantizedOps } from "./quantized.ts";
import { selectOps } from "./select.ts";
import { shapeOps } from "./shape.ts";

/** The operator registry: every operator of the IR, each defined once. */
export const ops = {
  ...shapeOps,
  ...elementwiseOps,
  ...bitOps,
  ...selectOps,
  ...gatherOps,
  ...linearOps,
  ...normOps,
  ...attentionOps,
  ...moeOps,
  ...quantizedOps,
  ...collectiveOps,
} as const;

export type OpName = keyof typeof ops;
export const opNames = Object.keys(ops) as OpName[]; // Object.keys forgets the key type
export const isOpName = (name: string): name is OpName => Object.hasOwn(ops, name);

/** The attributes of an operator, by its name. */
export type OpAttrs<K extends OpName> = (typeof ops)[K] extends OpDefinition<infer A> ? AttrsOf<A> : never;

/** An operator's definition with its attribute types forgotten, for code that treats all operators alike. */
export function definitionOf(op: OpName): OpDefinition {
  const definition: unknown = ops[op];
  return definition as OpDefinition<Record<string, AttrSchema>>; // each entry is one; only its attribute types differ
}
