import { lex, type TokenOf } from "../../support/lex.ts";

/** A word may hold dots and dashes inside, as names of profiles do; a minus sign between names stands apart. */
const pattern =
  /\s+|\/\/[^\n]*|(?<number>(?:\d+(?:\.(?!\.)\d+)?(?:e[-+]?\d+)?|inf\b))|(?<word>[A-Za-z_][\w]*(?:\.\w+)*)|(?<mark>->|\.\.|==|[(){}[\],:=+*/<#-])/uy;

const kinds = ["number", "word", "mark"] as const;

export type Token = TokenOf<(typeof kinds)[number]>;
export type TokenKind = Token["kind"];

/** Cut a schedule into tokens. Throws `schedule/syntax` at the first character that begins none. */
export const tokenize = (text: string, file: string): readonly Token[] =>
  lex(text, file, pattern, kinds, "schedule/syntax");
