/** Where moec keeps what later runs need not find out again. */
import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { makeFolder } from "../../tensor/sink.ts";
import { packageVersion } from "../version.ts";

/** The folder for caches of this user: XDG Base Directory Specification, else as the platform has it. */
function cacheHome({ XDG_CACHE_HOME, LOCALAPPDATA }: NodeJS.ProcessEnv, platform: NodeJS.Platform): string {
  if (XDG_CACHE_HOME !== undefined && isAbsolute(XDG_CACHE_HOME)) return XDG_CACHE_HOME;
  if (platform === "win32" && LOCALAPPDATA !== undefined) return LOCALAPPDATA;
  return join(homedir(), platform === "darwin" ? "Library/Caches" : ".cache");
}

/** A folder of this version of moec in there, made if need be; undefined where it cannot be written to. */
export function userCache(name: string): string | undefined {
  try {
    const folder = join(cacheHome(process.env, process.platform), "moec", packageVersion(), name);
    makeFolder(folder);
    accessSync(folder, constants.W_OK);
    return folder;
  } catch {
    return undefined; // as for an account without a home: all is found out anew, which costs time only
  }
}
