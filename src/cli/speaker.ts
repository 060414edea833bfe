/** What the process says on its standard output and error, and how it ends where nobody takes it. */
import { fstatSync } from "node:fs";
import { exitCodes } from "../support/diagnostics.ts";
import { noPaint } from "../support/log.ts";
import { appendText, writeFault } from "../tensor/sink.ts";
import { failureOf } from "./errors.ts";

/** End the process where there is no room for what it says. */
function end(error: unknown): never {
  const { text, exit } = failureOf(error, noPaint);
  process.stderr.write(text);
  return process.exit(exit);
}

/** Says texts on a stream of the process. One that is a file is written whole: Node's own stream is silent where a full disk takes only a part. */
export function speaker(stream: NodeJS.WriteStream & { fd: 1 | 2 }, name: string): (text: string) => void {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(exitCodes.done); // the reader has what it wanted
    end(writeFault(name, error));
  });
  if (!fstatSync(stream.fd).isFile()) return (text) => void stream.write(text);
  return (text) => {
    try {
      appendText(stream.fd, name, text);
    } catch (error) {
      end(error);
    }
  };
}
