import type { DType } from "../../tensor/dtype.ts";
import type { Extent } from "./program.ts";

/**
 * What a device runs for one phase: kernels launched one after another on regions of its memory. The kernels stand beside it as texts,
 * `schedules/NAME.sched`. Data only, so that a plan can hold it as JSON.
 */

/** Where a tensor of a kernel begins; how it lies from there on, the kernel itself says. */
export type DeviceOperand = {
  /** The kernel's name of it. */
  readonly tensor: string;
  readonly region: "weight" | "buffer" | "cache";
  readonly name: string;
  /** Elements from the region's beginning. */
  readonly offset: number;
};

export type DeviceLaunch = {
  readonly kernel: string;
  /** The kernel's sizes. */
  readonly sizes: readonly { readonly name: string; readonly extent: Extent }[];
  readonly operands: readonly DeviceOperand[];
  /** The IR value it computes, for traces and faults. */
  readonly value: string;
};

/** A region of activations: `rows` rows of `cols` elements. */
export type DeviceBuffer = {
  readonly name: string;
  readonly dtype: DType;
  readonly rows: Extent;
  readonly cols: number;
};

/** A region that outlives the call: a row for each position of the context. */
export type DeviceCache = { readonly name: string; readonly dtype: DType; readonly cols: number };

export type DeviceProgram = {
  /** The phase: prefill or decode. */
  readonly name: string;
  /** The most new tokens a call may bring. */
  readonly maxTokens: number;
  readonly buffers: readonly DeviceBuffer[];
  readonly launches: readonly DeviceLaunch[];
  /** The buffers that take the ids and positions, i32 [S], and the one that gives the logits, f32 [S, vocab]. */
  readonly inputs: { readonly ids: string; readonly positions: string };
  readonly logits: string;
  /** Where each router's choices lie after the last launch, i32 [S, k]. */
  readonly routers: readonly { readonly buffer: string; readonly k: number }[];
};

/** A weight as the device reads it: row by row, in its own dtype. */
export type DeviceWeight = { readonly name: string; readonly dtype: DType; readonly elements: number };

/** A plan for a device of a profile. */
export type DevicePlan = {
  /** The profile's name; the profile itself is the plan's file `profile.json`. */
  readonly machine: string;
  readonly programs: readonly DeviceProgram[];
  readonly caches: readonly DeviceCache[];
  readonly weights: readonly DeviceWeight[];
  readonly kernels: readonly string[];
};

/** One call of a program: so many new tokens behind so many positions. */
export type Call = { readonly tokens: number; readonly past: number };

const sizes: Readonly<Record<string, (call: Call) => number>> = {
  "1": () => 1,
  S: ({ tokens }) => tokens,
  P: ({ past }) => past,
  T: ({ tokens, past }) => past + tokens,
};

/** What an extent counts in a call: new tokens S, positions before them P, or both together T; devices are told no other sizes. */
export const callSize = ({ times, dim }: Extent, call: Call): number => times * (sizes[dim]?.(call) ?? 0);

/** The file of a plan that holds a kernel's schedule. */
export const scheduleFile = (kernel: string): string => `schedules/${kernel}.sched`;
export const profileFile = "profile.json";
