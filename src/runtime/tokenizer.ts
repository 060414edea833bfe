/** Text to token ids and back, from the files that came with the checkpoint. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import * as v from "valibot";
import { fail } from "../support/diagnostics.ts";

/** Gives text as soon as it is certain, never part of a character. */
export type DecodeStream = {
  push(id: number): string;
  /** What was still held back; an unfinished character comes as U+FFFD. */
  end(): string;
};

export type Tokenizer = {
  /** The ids of begin and end of text, as far as the checkpoint names them. */
  readonly bos: number | undefined;
  readonly eos: readonly number[];
  readonly bosText: string;
  readonly eosText: string;
  encode(text: string, options?: { readonly bos?: boolean }): number[];
  /** Special tokens are written out unless `skipSpecial`. */
  decode(ids: readonly number[], options?: { readonly skipSpecial?: boolean }): string;
  decodeStream(options?: { readonly skipSpecial?: boolean }): DecodeStream;
};

/** The part of the library in use; its own declarations do not resolve under Node's module rules. */
type Codec = {
  encode(text: string, options: { add_special_tokens: boolean }): { readonly ids: readonly number[] };
  decode(
    ids: readonly number[],
    options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean },
  ): string;
  token_to_id(token: string): number | undefined;
  id_to_token(id: number): string | undefined;
};

const ids = v.nullish(v.union([v.number(), v.array(v.number())]));
const token = v.nullish(v.union([v.string(), v.looseObject({ content: v.string() })]));
const schemas = {
  "tokenizer.json": v.looseObject({ model: v.looseObject({}) }),
  "tokenizer_config.json": v.looseObject({
    bos_token: token,
    eos_token: token,
    clean_up_tokenization_spaces: v.nullish(v.boolean()),
  }),
  "generation_config.json": v.looseObject({ bos_token_id: ids, eos_token_id: ids }),
  "config.json": v.looseObject({ bos_token_id: ids, eos_token_id: ids }),
};

/** A JSON file of the folder by its schema, or undefined where there is none. */
function readJson<N extends keyof typeof schemas>(
  dir: string,
  name: N,
): v.InferOutput<(typeof schemas)[N]> | undefined {
  const file = join(dir, name);
  if (!existsSync(file)) return undefined;
  try {
    return v.parse(schemas[name], JSON.parse(readFileSync(file, "utf8")));
  } catch (error) {
    return fail(
      "run/tokenizer",
      { kind: "file", file },
      error instanceof Error ? error.message : String(error),
    );
  }
}

const asList = (value: number | number[] | null | undefined): number[] =>
  value === null || value === undefined ? [] : [value].flat();
const asText = (value: string | { content: string } | null | undefined): string | undefined =>
  typeof value === "string" ? value : value?.content;

/** The tokenizer of a checkpoint or plan folder; undefined where the folder has no tokenizer.json. */
export function loadTokenizer(dir: string): Tokenizer | undefined {
  const model = readJson(dir, "tokenizer.json");
  if (!model) return undefined;
  const config = readJson(dir, "tokenizer_config.json") ?? {};
  let codec: Codec;
  try {
    codec = new HuggingFaceTokenizer(model, config);
  } catch (error) {
    const file = join(dir, "tokenizer.json");
    return fail(
      "run/tokenizer",
      { kind: "file", file },
      error instanceof Error ? error.message : String(error),
    );
  }

  const generation = readJson(dir, "generation_config.json");
  const architecture = readJson(dir, "config.json");
  const special = (name: "bos" | "eos"): number[] => {
    for (const from of [generation, architecture]) {
      const named = asList(name === "bos" ? from?.bos_token_id : from?.eos_token_id);
      if (named.length > 0) return named;
    }
    const text = asText(name === "bos" ? config.bos_token : config.eos_token);
    return asList(text === undefined ? undefined : codec.token_to_id(text));
  };
  const bos = special("bos")[0];
  const eos = special("eos");
  const written = (id: number | undefined): string =>
    (id === undefined ? undefined : codec.id_to_token(id)) ?? "";

  const cleanUp = config.clean_up_tokenization_spaces === true;
  const decode: Tokenizer["decode"] = (list, options) =>
    list.length === 0
      ? ""
      : codec.decode(list, {
          skip_special_tokens: options?.skipSpecial ?? false,
          clean_up_tokenization_spaces: cleanUp,
        });
  return {
    bos,
    eos,
    bosText: asText(config.bos_token) ?? written(bos),
    eosText: asText(config.eos_token) ?? written(eos[0]),
    encode: (text, options) => {
      const list = [...codec.encode(text, { add_special_tokens: false }).ids];
      return options?.bos && bos !== undefined ? [bos, ...list] : list;
    },
    decode,
    decodeStream: (options) => streamOf((list) => decode(list, options)),
  };
}

/**
 * A byte-level token may end in the middle of a character, which decodes to U+FFFD; text is held back until
 * it ends otherwise. The tokens of the last text given stay in front as context, for decoders that treat
 * the first token of a text differently.
 */
function streamOf(decode: (ids: readonly number[]) => string): DecodeStream {
  let context: number[] = [];
  let fresh: number[] = [];
  const take = (final: boolean): string => {
    const before = decode(context);
    const text = decode([...context, ...fresh]);
    if (text.length <= before.length || (!final && text.endsWith("\uFFFD"))) return "";
    context = fresh;
    fresh = [];
    return text.slice(before.length);
  };
  return {
    push: (id) => {
      fresh.push(id);
      return take(false);
    },
    end: () => take(true),
  };
}
