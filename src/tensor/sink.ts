/**
 * Where bytes go: folders and files on disk. Whatever the system refuses, a full disk or a folder that is not ours, is a diagnostic, and a file that is
 * replaced is there whole, as it was or as it becomes.
 */
import {
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { getSystemErrorMessage } from "node:util";
import { CompileError, diag } from "../support/diagnostics.ts";

/** A file that is being written. */
export type Sink = {
  readonly append: (piece: Uint8Array | string) => void;
  readonly putAt: (bytes: Uint8Array, at: number) => void;
  /** Come back when what was written so far is on the disk itself. */
  readonly settle: () => void;
};

/** What the system says against something, in its own words and its code; undefined for any other error. */
export function refusalIn(error: unknown): { readonly why: string; readonly code: string } | undefined {
  if (!(error instanceof Error && "syscall" in error && "code" in error)) return undefined;
  const code = String(error.code);
  const number = "errno" in error && typeof error.errno === "number" ? error.errno : undefined;
  return { why: number === undefined ? error.message : `${getSystemErrorMessage(number)} (${code})`, code };
}

/** What a refusal of the system becomes where something is written; any other error stays what it is. */
export function writeFault(path: string, error: unknown): unknown {
  const refusal = refusalIn(error);
  if (!refusal) return error;
  return new CompileError([
    diag("plan/write", { kind: "file", file: path }, path, refusal.why, refusal.code),
  ]);
}

/** Do something to what is written at `path`. Throws `plan/write` where the system does not let it. */
export function writing<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw writeFault(path, error);
  }
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** Make a folder, and those that it stands in, where there is none. Node's own way does not come back where a system makes none, as in /proc. */
export function makeFolders(folder: string): void {
  if (isFolder(folder)) return;
  const parent = dirname(resolve(folder));
  if (parent !== folder) makeFolders(parent);
  try {
    mkdirSync(folder);
  } catch (error) {
    if (!isFolder(folder)) throw error; // else another process was faster
  }
}

/** Make a folder to write into, and those that it stands in, where there is none. Throws `plan/write`. */
export const makeFolder = (folder: string): void => writing(folder, () => makeFolders(folder));

/** A file as it is made: where its bytes go, what it is called where they cannot, and who may read it. */
type Target = { readonly path: string; readonly name: string; readonly mode: number };

/** Write all of some bytes to what is open already, where it is at or at a place of their own: the system may take fewer at a time. Throws `plan/write`, with the name that it goes by. */
export function put(fd: number, name: string, bytes: Uint8Array, at?: number): void {
  for (let done = 0; done < bytes.byteLength;) {
    const place = at === undefined ? null : at + done;
    done += writing(name, () => writeSync(fd, bytes, done, bytes.byteLength - done, place));
  }
}

/** Append a text to what is open already. Throws `plan/write`, with the name that it goes by. */
export const appendText = (fd: number, name: string, text: string): void => put(fd, name, Buffer.from(text));

function writeTo<T>({ path, name, mode }: Target, fill: (sink: Sink) => T): T {
  const fd = writing(name, () => openSync(path, "w", mode));
  try {
    return fill({
      append: (piece) => put(fd, name, typeof piece === "string" ? Buffer.from(piece) : piece),
      putAt: (bytes, at) => put(fd, name, bytes, at),
      settle: () => writing(name, () => fsyncSync(fd)),
    });
  } finally {
    writing(name, () => closeSync(fd)); // some systems say only here that there was no room
  }
}

const forAll = 0o666;

/** Write a file that nothing reads before it is done. Throws `plan/write`. */
export const writeAnew = <T>(file: string, fill: (sink: Sink) => T): T =>
  writeTo({ path: file, name: file, mode: forAll }, fill);

/** What the process has open itself: to put another file in its place would lose what is written to it besides. */
const isOpened = (file: string): boolean => /^\/(dev\/(std(in|out|err)$|fd\/)|proc\/)/.test(resolve(file));

/** The file that stands, or will stand, under a name and can be replaced; undefined for a device, a pipe and the like. */
function replaceable(file: string): string | undefined {
  if (isOpened(file)) return undefined;
  const found = statSync(file, { throwIfNoEntry: false });
  if (found) return found.isFile() ? realpathSync(file) : undefined;
  const isDangling = lstatSync(file, { throwIfNoEntry: false }) !== undefined;
  return isDangling ? undefined : file;
}

/**
 * Write a file whole, by rename, or not at all: what was there stays where that fails. `mode` is for a file that is new. Devices and pipes
 * take what comes. Throws `plan/write`.
 */
export function writeWhole(file: string, fill: (sink: Sink) => void, mode = forAll): void {
  const target = writing(file, () => replaceable(file));
  if (target === undefined) return writeTo({ path: file, name: file, mode }, fill);
  const partial = `${target}.partial-${process.pid}`;
  const before = statSync(target, { throwIfNoEntry: false })?.mode;
  try {
    writeTo({ path: partial, name: file, mode: before ?? mode }, fill);
    writing(file, () => renameSync(partial, target));
  } finally {
    writing(file, () => rmSync(partial, { force: true }));
  }
}

/** Write a text whole, or not at all, as `writeWhole` does. Throws `plan/write`. */
export const writeText = (file: string, text: string, mode = forAll): void =>
  writeWhole(file, ({ append }) => append(text), mode);
