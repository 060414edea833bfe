/** A JSON document with one value changed or, for undefined, taken out. `/paths/0/to` names the value. */
export function withValue(document: unknown, pointer: string, value: unknown): unknown {
  const copy: unknown = structuredClone(document);
  const keys = pointer.slice(1).split("/");
  const last = keys.pop() ?? "";
  let parent = copy;
  for (const key of keys) parent = child(parent, key);
  if (typeof parent !== "object" || parent === null) throw new Error(`${pointer} leads through no object`);
  if (value === undefined) Reflect.deleteProperty(parent, last);
  else Reflect.set(parent, last, value);
  return copy;
}

function child(parent: unknown, key: string): unknown {
  if (typeof parent !== "object" || parent === null) throw new Error(`there is no ${key} to go through`);
  return Reflect.get(parent, key);
}

/** The pointers of all values inside a JSON document that are no lists or records. */
export const leaves = (document: unknown, at = ""): readonly string[] =>
  typeof document === "object" && document !== null
    ? Object.entries(document).flatMap(([key, value]) => leaves(value, `${at}/${key}`))
    : [at];
