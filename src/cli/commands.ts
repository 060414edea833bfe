/** The commands, in the order that the help shows them. A command is one file under `commands/`. */
import { lazy, type CommandEntry } from "./command.ts";

export const commands: readonly CommandEntry[] = [
  lazy(
    "compile",
    "compile a checkpoint into a plan",
    async () => (await import("./commands/compile.ts")).compileCommand,
  ),
  lazy("run", "let a plan write, or give its logits", async () => (await import("./commands/run.ts")).run),
  lazy(
    "eval",
    "measure a plan's perplexity, and how near it is to its model",
    async () => (await import("./commands/eval.ts")).evaluate,
  ),
  lazy(
    "link",
    "bring the parts of a compile together into a plan",
    async () => (await import("./commands/link.ts")).link,
  ),
  lazy(
    "simulate",
    "time a plan on the simulated device",
    async () => (await import("./commands/simulate.ts")).simulateCommand,
  ),
  lazy(
    "report",
    "write what a plan takes on its device as an HTML page",
    async () => (await import("./commands/report.ts")).reportCommand,
  ),
  lazy(
    "verify",
    "check schedules, and where a plan leaves its model",
    async () => (await import("./commands/verify.ts")).verify,
  ),
  lazy(
    "inspect",
    "say what a model or a plan holds",
    async () => (await import("./commands/inspect.ts")).inspect,
  ),
  lazy("opt", "run passes on an IR text", async () => (await import("./commands/opt.ts")).opt),
  lazy("passes", "list the passes in order", async () => (await import("./commands/passes.ts")).passes),
  lazy(
    "targets",
    "list the devices to compile for",
    async () => (await import("./commands/targets.ts")).targets,
  ),
  lazy(
    "route",
    "record which experts the tokens of a text take",
    async () => (await import("./commands/clusters/route.ts")).route,
  ),
  lazy(
    "place",
    "place experts on a cluster by recorded routing",
    async () => (await import("./commands/clusters/place.ts")).place,
  ),
  lazy(
    "launch",
    "write the script that serves a model with vLLM on Ray",
    async () => (await import("./commands/clusters/launch.ts")).launch,
  ),
  lazy(
    "clusters",
    "list the clusters to plan for",
    async () => (await import("./commands/clusters/clusters.ts")).clusters,
  ),
  lazy(
    "completion",
    "print a completion script for a shell",
    async () => (await import("./commands/completion.ts")).completion,
  ),
];
