import { existsSync, realpathSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, sep } from "node:path";
import { fail } from "../../../support/diagnostics.ts";
import type { FileRegion } from "../../../tensor/source.ts";

/** A whole number of external_data, or why it is none. */
function wholeNumber(what: string, key: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  const why =
    value < 0 ? `external ${key} ${text} is negative` : `external ${key} "${text}" is not a whole number`;
  return fail("onnx/external-range", undefined, what, why);
}

/**
 * Where external data lies. The path must lead to a plain file inside the model's folder: models come from strangers.
 * Throws `onnx/external-path`, `onnx/external-missing` or `onnx/external-range`.
 */
export function externalRegion(
  model: string,
  what: string,
  entries: ReadonlyMap<string, string>,
  bytes: number,
): FileRegion {
  const location = entries.get("location") ?? "";
  const refuse = (why: string) =>
    fail("onnx/external-path", { kind: "file", file: model }, what, location, why);
  if (location === "") return refuse("names no file");
  if (isAbsolute(location) || location.includes("\\")) return refuse("is not relative to the model");
  if (location.split("/").includes("..")) return refuse("leads out of the model's folder");
  const home = dirname(model);
  const file = join(home, location);
  if (!existsSync(file)) return fail("onnx/external-missing", { kind: "file", file: model }, what, location);
  if (realpathSync(file) !== join(realpathSync(home), location).split("/").join(sep))
    return refuse("is a symbolic link");
  const { size } = statSync(file);
  const offset = wholeNumber(what, "offset", entries.get("offset"), 0);
  const length = wholeNumber(what, "length", entries.get("length"), bytes);
  if (length !== bytes) return fail("onnx/size-mismatch", { kind: "file", file: model }, what, bytes, length);
  if (offset + length > size)
    return fail(
      "onnx/external-range",
      { kind: "file", file },
      what,
      `bytes ${offset} to ${offset + length} of a file of ${size}`,
    );
  return { file, offset, bytes: length };
}
