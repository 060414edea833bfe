import { fail, type Where } from "../support/diagnostics.ts";

export type TokenKind = "name" | "value" | "func" | "number" | "string" | "punct" | "end";
export type Token = { readonly kind: TokenKind; readonly text: string; readonly offset: number };

const pattern =
  /\s+|\/\/[^\n]*|(?<value>%(?:[\w.]+|"(?:[^"\\\n]|\\.)*"))|(?<func>@[\w.]+)|(?<number>-?(?:\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|inf\b)|nan\b|inf\b)|(?<name>[A-Za-z_][\w.]*)|(?<string>"(?:[^"\\\n]|\\.)*")|(?<punct>[(){}[\],:=+*])/uy;

const kinds = ["value", "func", "number", "name", "string", "punct"] as const;

/** Line and column of an offset, both counted from one. */
export function place(text: string, offset: number, file: string): Where {
  const before = text.slice(0, offset).split("\n");
  return { kind: "text", file, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

/** Cut an IR text into tokens. Throws `ir/syntax` at the first character that begins none. */
export function tokenize(text: string, file: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (!match) return fail("ir/syntax", place(text, at, file), JSON.stringify(text[at]), "a token");
    for (const kind of kinds) {
      const found = match.groups?.[kind];
      if (found !== undefined) tokens.push({ kind, text: found, offset: at });
    }
    at = pattern.lastIndex;
  }
  tokens.push({ kind: "end", text: "end of text", offset: text.length });
  return tokens;
}
