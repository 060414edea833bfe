import { fail, type Where } from "../../support/diagnostics.ts";

/**
 * The JSON a safetensors header may hold: an object of flat entries. JSON.parse would lose duplicate keys and the last
 * digits of large integers, and lets any depth through; this scanner keeps both and never recurses.
 */
export type RawEntry = {
  readonly name: string;
  /** Fields as they stood in the text; numbers and arrays of numbers exact. */
  readonly fields: ReadonlyMap<string, RawField>;
};
export type RawField = string | readonly bigint[] | { readonly other: string };

const deepest = 4;

/** Scan the header text. `where` places a byte of it. */
export function scanHeader(text: string, where: (at: number) => Where): readonly RawEntry[] {
  let at = 0;
  const bad = (why: string): never => fail("safetensors/header-json", where(at), why);
  const skip = () => {
    for (let c = text.charCodeAt(at); c === 32 || c === 10 || c === 13 || c === 9; c = text.charCodeAt(++at));
  };
  const expect = (c: string) => {
    skip();
    if (text[at] !== c)
      bad(
        at < text.length
          ? `found ${JSON.stringify(text[at])}, expected "${c}"`
          : `it ends where "${c}" was expected`,
      );
    at++;
  };
  const string = (): string => {
    skip();
    const start = at;
    if (text[at] !== '"') bad(`found ${JSON.stringify(text[at] ?? "end")}, expected a string`);
    for (at++; text[at] !== '"'; at++) {
      if (at >= text.length || text.charCodeAt(at) < 32) bad("a string is not closed");
      if (text[at] === "\\") at++;
    }
    at++;
    const raw = text.slice(start, at);
    if (!raw.includes("\\")) return raw.slice(1, -1);
    try {
      return String(JSON.parse(raw));
    } catch {
      at = start;
      return bad(`the string ${raw.slice(0, 40)} is not valid`);
    }
  };
  /** Members of an object whose opening brace is next. */
  const members = (member: (key: string, start: number) => void) => {
    expect("{");
    skip();
    if (text[at] === "}") return void at++;
    for (;;) {
      skip();
      const start = at;
      const key = string();
      expect(":");
      skip();
      member(key, start);
      skip();
      if (text[at] === "}") return void at++;
      expect(",");
    }
  };
  const integers = (): readonly bigint[] | undefined => {
    const match = /\[\s*(?:-?\d+(?:\s*,\s*-?\d+)*)?\s*\]/y;
    match.lastIndex = at;
    const found = match.exec(text)?.[0];
    if (found === undefined) return undefined;
    at += found.length;
    return (found.match(/-?\d+/g) ?? []).map((n) => BigInt(n));
  };
  /** Step over any value, as deep as the limit; gives its text. */
  const skipValue = (): string => {
    const start = at;
    let depth = 0;
    do {
      skip();
      const c = text[at];
      if (c === undefined) bad("it ends inside a value");
      if (c === '"') string();
      else if (c === "{" || c === "[") {
        if (++depth > deepest) bad(`header nests deeper than the limit of ${deepest}`);
        at++;
      } else if (c === "}" || c === "]") {
        depth--;
        at++;
      } else if (c === "," || c === ":") {
        if (depth === 0) bad(`found "${c}", expected a value`);
        at++;
      } else {
        const literal = /(?:-?\d[\d.eE+-]*|true|false|null)/y;
        literal.lastIndex = at;
        const word = literal.exec(text)?.[0] ?? bad(`found ${JSON.stringify(c)}, expected a value`);
        at += word.length;
      }
    } while (depth > 0);
    const value = text.slice(start, at);
    try {
      JSON.parse(value);
    } catch {
      at = start;
      bad(`${value.slice(0, 40)} is not valid`);
    }
    return value;
  };

  const entries: RawEntry[] = [];
  const names = new Set<string>();
  members((name, start) => {
    if (names.has(name)) fail("safetensors/duplicate-key", where(start), name);
    names.add(name);
    if (text[at] !== "{") {
      const value = skipValue();
      return fail(
        "safetensors/bad-entry",
        where(start),
        name,
        `found ${value.slice(0, 40)}, expected an object`,
      );
    }
    const fields = new Map<string, RawField>();
    members((field) => {
      if (fields.has(field)) fail("safetensors/duplicate-key", where(start), `${name}.${field}`);
      fields.set(field, text[at] === '"' ? string() : (integers() ?? { other: skipValue() }));
    });
    entries.push({ name, fields });
  });
  skip();
  if (at < text.length) bad("there is more after the closing }");
  return entries;
}
