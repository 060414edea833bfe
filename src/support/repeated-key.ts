/** What JSON.parse says nothing of: of two fields with one name it keeps the last. */

/** An object with the keys seen in it, or an array with none; and where in it the scan is. */
type Open = { readonly keys: Set<string> | undefined; at: string | number };

/** The JSON pointer of the first field of an object that is given twice, in a text that JSON.parse takes. */
export function repeatedKey(json: string): string | undefined {
  const open: Open[] = [];
  let before = "";
  for (const token of tokensOf(json)) {
    const top = open.at(-1);
    if (token === "{") open.push({ keys: new Set(), at: "" });
    else if (token === "[") open.push({ keys: undefined, at: 0 });
    else if (token === "}" || token === "]") open.pop();
    else if (token === ",") {
      if (typeof top?.at === "number") top.at++;
    } else if (top?.keys && token !== ":" && before !== ":") {
      top.at = String(JSON.parse(token));
      if (top.keys.has(top.at)) return open.map((it) => `/${it.at}`).join("");
      top.keys.add(top.at);
    }
    before = token;
  }
  return undefined;
}

/** The strings and signs of a JSON text; what lies between is numbers and words. */
function* tokensOf(json: string): Generator<string> {
  const next = /["[\]{}:,]/g;
  for (let found = next.exec(json); found; found = next.exec(json)) {
    if (found[0] === '"') next.lastIndex = afterString(json, found.index);
    yield json.slice(found.index, next.lastIndex);
  }
}

/** Where a string ends that begins at `from`: behind the first quote with an even number of backslashes before it. */
function afterString(json: string, from: number): number {
  for (let quote = json.indexOf('"', from + 1); quote >= 0; quote = json.indexOf('"', quote + 1)) {
    let plain = quote;
    while (json[plain - 1] === "\\") plain--;
    if ((quote - plain) % 2 === 0) return quote + 1;
  }
  return json.length;
}
