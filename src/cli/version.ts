import { existsSync, readFileSync } from "node:fs";

/** The package's version; its package.json is two levels up in a checkout, three in the built package. */
export function packageVersion(): string {
  const places = ["../../package.json", "../../../package.json"].map((it) => new URL(it, import.meta.url));
  const found = places.find((it) => existsSync(it));
  const json: unknown = found ? JSON.parse(readFileSync(found, "utf8")) : {};
  return json instanceof Object && "version" in json ? String(json.version) : "unknown";
}
