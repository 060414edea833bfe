/** Runs the executable as a user does, in a process of its own. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const executable = fileURLToPath(new URL("../../bin/moec.js", import.meta.url));

export type Outcome = { readonly code: number | null; readonly out: string; readonly err: string };
export type RunOptions = {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly node?: readonly string[];
  readonly file?: string;
};

export function moec(args: readonly string[], options: RunOptions = {}): Outcome {
  const { cwd = root, env = {}, node = [], file = executable } = options;
  const done = spawnSync(process.execPath, [...node, file, ...args], {
    cwd,
    encoding: "utf8",
    env: { ...process.env, ...env },
    maxBuffer: 1 << 28,
  });
  return { code: done.status, out: done.stdout, err: done.stderr };
}
