import { lex, type TokenOf } from "../support/lex.ts";

const pattern =
  /\s+|\/\/[^\n]*|(?<value>%(?:[\w.]+|"(?:[^"\\\n]|\\.)*"))|(?<func>@[\w.]+)|(?<number>-?(?:\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|inf\b)|nan\b|inf\b)|(?<name>[A-Za-z_][\w.]*)|(?<string>"(?:[^"\\\n]|\\.)*")|(?<punct>[(){}[\],:=+*])/uy;

const kinds = ["value", "func", "number", "name", "string", "punct"] as const;

export type Token = TokenOf<(typeof kinds)[number]>;
export type TokenKind = Token["kind"];

/** Cut an IR text into tokens. Throws `ir/syntax` at the first character that begins none. */
export const tokenize = (text: string, file: string): readonly Token[] =>
  lex(text, file, pattern, kinds, "ir/syntax");
