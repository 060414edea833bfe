import type { Message } from "../diagnostics.ts";

/** Faults of schedules. */
export const scheduleCatalog = {
  "schedule/syntax": (found: string, expected: string): Message => ({
    exit: "model",
    message: `found ${found}, expected ${expected}`,
    hint: "docs/schedules.md shows the text form",
  }),
  "schedule/unknown-name": (kernel: string, name: string): Message => ({
    exit: "model",
    message: `${kernel}: ${name} is used and not declared`,
  }),
  "schedule/no-path": (stmt: string, machine: string, from: string, to: string, core: string): Message => ({
    exit: "model",
    message: `\`${stmt}\`: ${machine} has no path from ${from} to ${to} on its ${core} cores`,
    hint: "moec targets NAME lists the paths",
  }),
  "device/no-product": (machine: string, a: string, w: string): Message => ({
    exit: "model",
    message: `the matrix unit of ${machine} does not multiply ${a} by ${w}`,
    hint: "moec targets NAME lists what it multiplies",
  }),
  "device/no-tile": (machine: string, n: number, k: number, lacking: string): Message => ({
    exit: "capacity",
    message: `no tile of a product [n ${n}, k ${k}] fits ${machine}${lacking && `: the smallest in ${lacking}`}`,
    hint: "the spaces of the matrix unit must hold at least one fragment of each operand, twice",
  }),
  "device/no-conversion": (machine: string, from: string, to: string): Message => ({
    exit: "model",
    message: `the vector unit of ${machine} turns no ${from} into ${to}, not by way of other dtypes either`,
    hint: "vector.converts of the profile lists what it turns into what",
  }),
  "device/no-attention": (machine: string, dim: number, dtype: string, lacking: string): Message => ({
    exit: "capacity",
    message: `no tile of attention over ${dim} columns of ${dtype} fits ${machine}${lacking && `: the smallest needs ${lacking}`}`,
    hint: `compile for a device that has more of it${dtype === "f32" ? ", or without --quant, as bf16 takes half" : ""}; heads of fewer columns need less`,
  }),
  "schedule/crossed": (
    kernel: string,
    buffer: string,
    stmt: string,
    first: string,
    second: string,
  ): Message => ({
    exit: "model",
    message: `${kernel}: ${first} and ${second} both work on ${buffer} inside \`${stmt}\``,
    hint: "declare the buffer in that loop, so that it takes turns there",
  }),
  "schedule/deadlock": (kernel: string, cores: readonly string[]): Message => ({
    exit: "model",
    message: `${kernel} stands still: ${cores.join(", ")} await signals that nobody gives`,
  }),
  "schedule/never-set": (core: string, from: string, to: string, id: number): Message => ({
    exit: "model",
    message: `on ${core} cores ${to} waits for flag ${from} -> ${to} #${id}, which nobody has set`,
  }),
  "schedule/capacity": (
    kernel: string,
    core: string,
    space: string,
    needed: number,
    usable: number,
    largest: readonly string[],
  ): Message => ({
    exit: "capacity",
    message: `${kernel}: the buffers in ${space} of a ${core} core take ${needed} bytes, expected at most ${usable}`,
    hint: `the largest: ${largest.join(", ")}; take smaller tiles or fewer copies`,
  }),
  "schedule/illegal": (stmt: string, machine: string, why: string): Message => ({
    exit: "model",
    message: `\`${stmt}\`: on ${machine}, ${why}`,
  }),
  "schedule/engine": (stmt: string, machine: string, core: string, engine: string): Message => ({
    exit: "model",
    message: `\`${stmt}\`: ${machine} cannot do this on its ${core} cores with ${engine}`,
  }),
  "schedule/flag-budget": (stmt: string, machine: string, most: number): Message => ({
    exit: "capacity",
    message: `\`${stmt}\`: ${machine} has ${most} such flags that kernels may use`,
    hint: "fewer buffers that take turns, or fewer turns",
  }),
  "schedule/bounds": (kernel: string, stmt: string, what: string): Message => ({
    exit: "model",
    message: `${kernel}: \`${stmt}\` reaches ${what}`,
  }),
  "schedule/alignment": (kernel: string, stmt: string, what: string): Message => ({
    exit: "model",
    message: `${kernel}: \`${stmt}\`: ${what}`,
  }),
  "schedule/race": (kernel: string, first: string, second: string, buffer: string): Message => ({
    exit: "model",
    message: `${kernel}: nothing orders \`${first}\` and \`${second}\`, which meet in ${buffer}`,
    hint: "a flag between their engines is missing, or a buffer has too few copies",
  }),
  "schedule/shape": (kernel: string, stmt: string, what: string): Message => ({
    exit: "model",
    message: `${kernel}: \`${stmt}\`: ${what}`,
  }),
  "schedule/counter": (
    kernel: string,
    what: string,
    waiting: number,
    machine: string,
    most: number,
  ): Message => ({
    exit: "capacity",
    message: `${kernel}: in ${what}, ${waiting} signals can be waiting to be taken; counters of ${machine} end at ${most}`,
    hint: "await something in return, so that the other core is not run away from",
  }),
  "schedule/copies": (kernel: string, buffer: string, copies: number, what: string): Message => ({
    exit: "model",
    message: `${kernel}: ${buffer} has ${copies === 1 ? "1 copy" : `${copies} copies`}, ${what}`,
    hint: "a buffer needs as many copies as its flags let be under way",
  }),
  "schedule/two-writers": (kernel: string, first: string, second: string, tensor: string): Message => ({
    exit: "model",
    message: `${kernel}: two cores write the same part of ${tensor}, by \`${first}\` and \`${second}\``,
    hint: "let each write its own, or add",
  }),
  "schedule/unfilled": (kernel: string, box: string): Message => ({
    exit: "model",
    message: `${kernel}: nothing writes ${box}`,
    hint: "a loop ends too early, or a box is too small",
  }),
  "schedule/unread": (kernel: string, box: string): Message => ({
    exit: "model",
    message: `${kernel}: nothing reads ${box}`,
    hint: "a loop ends too early, a box is too small, or the tensor is declared larger than what belongs to it",
  }),
  "schedule/unused": (kernel: string, stmt: string, box: string): Message => ({
    exit: "model",
    message: `${kernel}: of what \`${stmt}\` brings, nothing uses ${box}`,
    hint: "a loop over it ends too early, or it brings more than is needed",
  }),
  "schedule/unwritten": (kernel: string, stmt: string, buffer: string): Message => ({
    exit: "model",
    message: `${kernel}: \`${stmt}\` reads of ${buffer} what nothing has written`,
  }),
  "schedule/set-twice": (kernel: string, stmt: string, id: number): Message => ({
    exit: "model",
    message: `${kernel}: \`${stmt}\` sets flag ${id} while it is set`,
    hint: "a wait for it is missing",
  }),
  "schedule/set-early": (kernel: string, stmt: string, id: number, wait: string): Message => ({
    exit: "model",
    message: `${kernel}: \`${stmt}\` may set flag ${id} again before \`${wait}\` has taken it`,
    hint: "a flag is a single bit: let its setter wait for who takes it, or take turns through more numbers",
  }),
  "schedule/left-set": (kernel: string, flag: string): Message => ({
    exit: "model",
    message: `${kernel}: flag ${flag} is set at the end`,
    hint: "every set needs its wait",
  }),
} as const;
