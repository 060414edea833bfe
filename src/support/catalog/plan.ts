import { number } from "../text.ts";
import type { Message } from "../diagnostics.ts";

/** What to do where the system refuses to write, by its own code. */
const whatToDo = new Map([
  ["ENOSPC", "make room on that disk, or choose a place on another"],
  ["EDQUOT", "make room in your quota, or choose a place on another disk"],
  [
    "EFBIG",
    "raise the limit on the size of a file (ulimit -f), or choose a file system that takes larger ones",
  ],
  ["EACCES", "choose a place that you may write to, or change its permissions"],
  ["EPERM", "choose a place that you may write to, or change its permissions"],
  ["EROFS", "that file system is mounted to be read only: choose another"],
  ["EIO", "the disk itself failed: choose another"],
  ["ENOENT", "make the folder that it is to stand in, or choose another place"],
  ["ENOTDIR", "one of the folders in that path is a file: choose another place"],
  ["EISDIR", "a folder stands there: choose another name"],
]);

/** Faults of plans on disk and of running them. */
export const planCatalog = {
  "plan/not-a-plan": (why: string): Message => ({
    exit: "model",
    message: `this folder is not a whole plan: ${why}`,
    hint: "make one with: moec compile MODEL -o DIR",
  }),
  "plan/not-a-part": (): Message => ({
    exit: "model",
    message: "this folder is no whole part of a plan: it has no part.json",
    hint: "make one with: moec compile MODEL --part I/N -o DIR",
  }),
  "plan/parts": (why: string): Message => ({
    exit: "usage",
    message: `these parts make no plan: ${why}`,
    hint: "give the folder of each part once, all of one model and the same options",
  }),
  "plan/version": (found: string, expected: string): Message => ({
    exit: "model",
    message: `the plan has format ${found}, this moec reads ${expected}`,
    hint: "compile the model again",
  }),
  "plan/damaged": (file: string, why: string): Message => ({
    exit: "model",
    message: `${file} is damaged: ${why}`,
    hint: "compile the model again",
  }),
  "plan/exists": (dir: string): Message => ({
    exit: "usage",
    message: `${dir} exists and is not a moec plan; it was left as it is`,
    hint: "choose another -o",
  }),
  "plan/write": (file: string, why: string, code = ""): Message => ({
    exit: "usage",
    message: `cannot write ${file}: ${why}`,
    hint: whatToDo.get(code) ?? "choose another place",
  }),
  "target/activations": (machine: string): Message => ({
    exit: "model",
    message: `the matrix unit of ${machine} multiplies none of bf16, f16 and f32, in which plans keep activations`,
    hint: "moec targets NAME lists what it multiplies, matrix.rates of its profile",
  }),
  "target/schedule": (machine: string, fault: Message): Message => ({
    exit: fault.exit === "capacity" ? "capacity" : "fault",
    message: `a schedule that was made for ${machine} is not legal: ${fault.message}`,
    hint: "a profile of your own may have too little of it; else this is a bug of moec: please report it with the command line",
  }),
  "target/overflow": (value: number, row: number, column: number): Message => ({
    exit: "model",
    message: `a weight is ${value} at row ${row}, column ${column}, beyond the 65504 where f16 ends, in which the device multiplies`,
    hint: "quantize this tensor (--quant, or a recipe), or compile for a device that multiplies bf16",
  }),
  "target/unsupported-op": (op: string, why: string): Message => ({
    exit: "model",
    message: `the target cannot lower ${op}: ${why}`,
    hint: "do not disable the passes of the lower phase",
  }),
  "run/no-cluster": (machine: string): Message => ({
    exit: "usage",
    message: `how devices of ${machine} are joined is not known`,
    hint: "give --cluster, one of `moec clusters` or a file of your own",
  }),
  "run/small-cluster": (cluster: string, devices: number, ranks: number): Message => ({
    exit: "usage",
    message: `${cluster} has ${devices} devices, fewer than the plan's ${ranks} ranks`,
  }),
  "run/no-tokenizer": (): Message => ({
    exit: "usage",
    message: "the checkpoint came without tokenizer.json, so text cannot be read or written",
    hint: "give ids instead: --ids 1,2,3",
  }),
  "run/tokenizer": (why: string): Message => ({
    exit: "model",
    message: `the tokenizer cannot be read: ${why}`,
  }),
  "run/chat-template": (why: string): Message => ({
    exit: "model",
    message: `the chat template cannot be used: ${why}`,
    hint: "give the whole prompt yourself: --prompt TEXT",
  }),
  "run/id-range": (id: number, vocab: number): Message => ({
    exit: "usage",
    message: `id ${id} is not in the vocabulary of ${vocab} tokens`,
  }),
  "run/context": (needed: number, context: number, known: number): Message => ({
    exit: "usage",
    message: `${number(needed)} positions are needed, the plan was compiled for ${number(context)}`,
    hint:
      needed > known
        ? `give fewer: the model itself knows ${number(known)}`
        : "compile with a larger --context",
  }),
  "run/input": (name: string, found: string, expected: string): Message => ({
    exit: "usage",
    message: `input "${name}": found ${found}, expected ${expected}`,
    hint: "the inputs file holds one tensor under the name of each input of the graph",
  }),
  "run/no-graph": (): Message => ({
    exit: "usage",
    message: "this plan takes tokens, not tensors",
    hint: "give --prompt or --ids",
  }),
  "run/graph": (inputs: string): Message => ({
    exit: "usage",
    message: `this plan is a graph; it takes tensors: ${inputs}`,
    hint: "give them in a safetensors file: --inputs FILE --outputs FILE",
  }),
  "run/rank-lost": (rank: number, how: string): Message => ({
    exit: "fault",
    message: `the process of rank ${rank} ended (${how}), and with it the run`,
    hint: "if the system ended it for lack of memory, quantize (--quant) or use more machines; else run again",
  }),
  "run/no-device": (target: string): Message => ({
    exit: "usage",
    message: `this plan is for ${target}, which is not simulated`,
    hint: "compile for a device: --target ascend-910b3",
  }),
  "run/memory": (needed: number, limit: number): Message => ({
    exit: "capacity",
    message: `the plan needs ${needed} bytes of memory, the engine can address ${limit}`,
    hint: "quantize (--quant), or shard over more ranks (--parallel)",
  }),
} as const;
