/** The commands, in the order that the help shows them. A command is one file under `commands/`. */
import { lazy, type CommandEntry } from "./command.ts";

export const commands: readonly CommandEntry[] = [
  lazy(
    "completion",
    "print a completion script for a shell",
    async () => (await import("./commands/completion.ts")).completion,
  ),
];
