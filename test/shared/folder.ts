/** Data beside the checkout that some checks use when it is there: `MOEC_SHARED`, else `../shared`. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { root } from "../support/moec.ts";

const folder = resolve(root, process.env["MOEC_SHARED"] ?? "../shared");

/** The path of something in that folder; a test skips, and says so, where it is absent. */
export function shared(path: string, skip: (why: string) => never): string {
  const full = resolve(folder, path);
  return existsSync(full)
    ? full
    : skip(`${path} is not beside the checkout (MOEC_SHARED says where to look)`);
}
