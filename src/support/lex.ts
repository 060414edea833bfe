import { fail, type Where } from "./diagnostics.ts";

/** A token of a text, and where it begins. The last is of the kind `end`. */
export type TokenOf<Kind extends string> = {
  readonly kind: Kind | "end";
  readonly text: string;
  readonly offset: number;
};

/** Line and column of an offset, both counted from one. */
export function place(text: string, offset: number, file: string): Where {
  const before = text.slice(0, offset).split("\n");
  return { kind: "text", file, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

/**
 * Cut a text into tokens by a sticky pattern whose groups are named as the kinds; what matches no group is passed over. Throws the
 * language's own diagnostic at the first character that begins no token.
 */
export function lex<Kind extends string>(
  text: string,
  file: string,
  pattern: RegExp,
  kinds: readonly Kind[],
  code: "ir/syntax" | "schedule/syntax",
): readonly TokenOf<Kind>[] {
  const tokens: TokenOf<Kind>[] = [];
  let at = 0;
  while (at < text.length) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (!match) return fail(code, place(text, at, file), JSON.stringify(text[at]), "a token");
    for (const kind of kinds) {
      const found = match.groups?.[kind];
      if (found !== undefined) tokens.push({ kind, text: found, offset: at });
    }
    at = pattern.lastIndex;
  }
  tokens.push({ kind: "end", text: "end of text", offset: text.length });
  return tokens;
}
