/** A look into one call of prefill: values as they are complete, and others put in their place. */
import type { Engine } from "./engine/engine.ts";
import type { Device } from "./device/device.ts";
import { count } from "../plan/program/sizes.ts";
import { fail } from "../support/diagnostics.ts";
import type { Program } from "../plan/program/program.ts";

/** Values to look at: the step that completes each, by the value that steps are named by, and numbers to put there, by its name. */
export type Look = {
  readonly values: readonly { readonly step: string; readonly name: string }[];
  readonly given: ReadonlyMap<string, Float32Array>;
};

/** What was there, before anything was put in its place. */
export type Seen = readonly { readonly name: string; readonly numbers: Float32Array }[];

/** What can be looked into: the steps of prefill by the values they compute, and the buffers behind them. */
export type Probe = {
  readonly steps: readonly string[];
  /** Run ids from the start of a sequence, told of each step that is done. */
  readonly run: (ids: readonly number[], onStep: (step: number) => void) => void;
  /** The numbers of a value in a call of so many tokens, where it has a buffer of numbers. */
  readonly read: (name: string, tokens: number) => Float32Array | undefined;
  /** Put numbers there, as what they can be kept as. */
  readonly write: (name: string, numbers: Float32Array) => void;
};

const phase = "prefill";

/** The program of prefill. Throws `plan/damaged` where there is none. */
export const prefillOf = (programs: readonly Program[]): Program =>
  programs.find((it) => it.name === phase) ??
  fail("plan/damaged", undefined, "plan.json", `it has no ${phase} program`);

/** An engine that tells `hear` of its steps. */
export function engineProbe(
  engine: Engine,
  program: Program,
  hear: (listener: ((step: number) => void) | undefined) => void,
): Probe {
  const buffers = new Map(program.buffers.map((it) => [it.name, it]));
  const read: Probe["read"] = (name, tokens) => {
    const buffer = buffers.get(name);
    return buffer && engine.buffer(phase, name, (count(buffer.rows, tokens, tokens) * buffer.rowBytes) / 4);
  };
  return {
    steps: program.steps.map((it) => it.value),
    run: (ids, onStep) => {
      hear(onStep);
      engine.run(phase, ids, 0);
      hear(undefined);
    },
    read,
    write: (name, numbers) => engine.buffer(phase, name, numbers.length).set(numbers),
  };
}

export const deviceProbe = (device: Device): Probe => ({
  steps: device.program(phase).steps.map((it) => it.value),
  run: (ids, onStep) => void device.run(phase, ids, 0, onStep),
  read: (name, tokens) => device.read(phase, name, tokens),
  write: (name, numbers) => device.write(phase, name, numbers),
});

/** Run ids, and look. Values come in the order in which they are complete. */
export function lookInto(probe: Probe, ids: readonly number[], { values, given }: Look): Seen {
  const last = new Map(probe.steps.map((value, step) => [value, step]));
  const byStep = Map.groupBy(values, (it) => last.get(it.step));
  const seen: { readonly name: string; readonly numbers: Float32Array }[] = [];
  probe.run(ids, (step) => {
    for (const { name } of byStep.get(step) ?? []) {
      const numbers = probe.read(name, ids.length);
      if (!numbers) continue; // a view of another value
      seen.push({ name, numbers: numbers.slice() });
      const other = given.get(name);
      if (other?.length === numbers.length) probe.write(name, other);
    }
  });
  return seen;
}
