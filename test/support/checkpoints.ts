/** The bundled checkpoints with golden outputs of transformers, in the two forms they were recorded in. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { readHeader } from "../../src/frontend/safetensors/header.ts";
import { decodeToF32 } from "../../src/tensor/codec.ts";
import { readRegion } from "../../src/tensor/source.ts";
import { root } from "./moec.ts";

export type Golden = {
  readonly prompts: readonly (readonly number[])[];
  /** Greedy continuations, one a prompt. */
  readonly greedy: readonly (readonly number[])[];
  /** Logits of every position of a prompt, row by row. */
  readonly logits: (prompt: number) => Float32Array;
};

const ids = v.array(v.number());
const schema = v.union([
  v.looseObject({ prompts: v.array(ids), greedy: v.array(ids) }),
  v.looseObject({ prompts: v.array(v.looseObject({ input_ids: ids, greedy: ids })) }),
]);

export function readGolden(dir: string): Golden {
  const { tensors } = readHeader(join(dir, "golden.safetensors"));
  const json = v.parse(schema, JSON.parse(readFileSync(join(dir, "golden.json"), "utf8")));
  const prompts = json.prompts.map((p) => (Array.isArray(p) ? p : p.input_ids));
  const greedy =
    "greedy" in json
      ? v.parse(v.array(ids), json.greedy)
      : json.prompts.map((p) => (Array.isArray(p) ? [] : p.greedy));
  return {
    prompts,
    greedy,
    logits: (k) => {
      const entry = tensors.get(`logits.${k}`) ?? tensors.get(`p${k}.logits`);
      if (!entry) throw new Error(`${dir} has no golden logits ${k}`);
      const values = new Float32Array(entry.shape.reduce((n, d) => n * d, 1));
      decodeToF32(entry.dtype, readRegion(entry.region), values);
      return values;
    },
  };
}

/** Folders of every tiny checkpoint in the project, one of each family and layout. */
export const tinyCheckpoints: readonly string[] = ["tiny", "deep", "variants"].flatMap((set) =>
  readdirSync(join(root, "fixtures", set)).map((name) => join("fixtures", set, name)),
);
