import { fail, type Where } from "../../support/diagnostics.ts";

export type TokenKind = "word" | "number" | "mark" | "end";
export type Token = { readonly kind: TokenKind; readonly text: string; readonly offset: number };

/** A word may hold dots and dashes inside, as names of profiles do; a minus sign between names stands apart. */
const pattern =
  /\s+|\/\/[^\n]*|(?<number>(?:\d+(?:\.(?!\.)\d+)?(?:e[-+]?\d+)?|inf\b))|(?<word>[A-Za-z_][\w]*(?:\.\w+)*)|(?<mark>->|\.\.|==|[(){}[\],:=+*/<#-])/uy;

const kinds = ["number", "word", "mark"] as const;

/** Line and column of an offset, both counted from one. */
export function place(text: string, offset: number, file: string): Where {
  const before = text.slice(0, offset).split("\n");
  return { kind: "text", file, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

/** Cut a schedule into tokens. Throws `schedule/syntax` at the first character that begins none. */
export function tokenize(text: string, file: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (!match) return fail("schedule/syntax", place(text, at, file), JSON.stringify(text[at]), "a token");
    for (const kind of kinds) {
      const found = match.groups?.[kind];
      if (found !== undefined) tokens.push({ kind, text: found, offset: at });
    }
    at = pattern.lastIndex;
  }
  tokens.push({ kind: "end", text: "end of text", offset: text.length });
  return tokens;
}
