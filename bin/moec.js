#!/usr/bin/env node
/*
 * The executable. It parses on Node 12.20, so that an old Node gets one sentence instead of a syntax error.
 * In a checkout it runs the sources; in the package, where only dist/ exists, the built command line
 * (Node strips no types under node_modules).
 */
import { spawn } from "child_process";
import { existsSync } from "fs";
import module from "module";
import v8 from "v8";
import { dirname, join, resolve } from "path";
import { fileURLToPath, pathToFileURL } from "url";

const needed = 24;
const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** Node 24 as the `node` dev dependency installs it: beside the checkout's files, or two levels up. */
function newerNode() {
  const file = process.platform === "win32" ? "node.exe" : "node";
  const places = [join(root, "node_modules"), join(root, "..", "..", "node_modules")];
  const found = places.map((place) => join(place, "node", "bin", file)).filter((it) => existsSync(it));
  return found.length > 0 && !process.env.MOEC_REEXEC ? found[0] : undefined;
}

/** Run this very command on another Node, and end as it ends. */
function rerun(node) {
  const args = [fileURLToPath(import.meta.url)].concat(process.argv.slice(2));
  const env = Object.assign({}, process.env, { MOEC_REEXEC: "1" });
  const child = spawn(node, args, { stdio: "inherit", env });
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  const forward = (signal) => child.kill(signal);
  signals.forEach((signal) => process.on(signal, forward));
  child.on("error", () => tooOld());
  child.on("exit", (code, signal) => {
    signals.forEach((it) => process.removeListener(it, forward));
    if (signal) process.kill(process.pid, signal);
    else process.exitCode = code;
  });
}

function tooOld() {
  process.stderr.write(`moec needs Node ${needed} or newer; this is v${process.versions.node}\n`);
  process.exitCode = 2;
}

function start() {
  // Graphs of many small nodes: room for them from the start, where V8's young heap of 1 MB is collected again and again.
  v8.setFlagsFromString("--min-semi-space-size=16");
  // Node's own cache of compiled code, in the system's temporary folder; NODE_DISABLE_COMPILE_CACHE=1 turns it off.
  module.enableCompileCache();
  const cache = module.getCompileCacheDir();
  if (cache) process.env.NODE_COMPILE_CACHE = cache; // for threads, which only look here
  const source = join(root, "src", "cli", "main.ts");
  const built = join(root, "dist", "src", "cli", "main.js");
  return import(pathToFileURL(existsSync(source) ? source : built).href).then((cli) =>
    cli.runProcess(process.argv.slice(2)),
  );
}

if (Number(process.versions.node.split(".")[0]) >= needed) {
  start();
} else {
  const node = newerNode();
  if (node) rerun(node);
  else tooOld();
}
