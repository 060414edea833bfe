/** Faults put into correct schedules, by what is wrong with them. */
import { earlyFaults } from "./faults/early.ts";
import type { Fault } from "./faults/fault.ts";
import { flagFaults, signalFaults } from "./faults/flags.ts";
import { operandFaults } from "./faults/operands.ts";
import { resultFaults } from "./faults/results.ts";
import { alignmentFaults, copyFaults, dtypeFaults, sizeFaults } from "./faults/tiles.ts";
import { writerFaults } from "./faults/writers.ts";

export const faultClasses: Readonly<Record<string, readonly Fault[]>> = {
  "a flag dropped or wrong": flagFaults,
  "a flag set too early": earlyFaults,
  "a signal dropped or wrong": signalFaults,
  "a buffer too few copies": copyFaults,
  "a tile too large": sizeFaults,
  "a misaligned copy": alignmentFaults,
  "a wrong dtype": dtypeFaults,
  "two writers": writerFaults,
  "a result not whole": resultFaults,
  "an operand not read whole": operandFaults,
};
