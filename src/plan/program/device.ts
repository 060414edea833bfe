import { byteLength, type DType } from "../../tensor/dtype.ts";
import { type CallLimits, mapRows, type CollectiveStep, type Extent } from "./program.ts";
import { count, mostOf } from "./sizes.ts";

/**
 * What a device runs for one phase: kernels launched one after another on regions of its memory, and between them what it does together with
 * other ranks. The kernels stand beside it as texts, `schedules/NAME.sched`. Data only, so that a plan can hold it as JSON.
 */

/** Where a tensor of a kernel begins; how it lies from there on, the kernel itself says. */
export type DeviceOperand = {
  /** The kernel's name of it. */
  readonly tensor: string;
  readonly region: "weight" | "buffer" | "cache";
  readonly name: string;
  /** Elements from the region's beginning, and as many more as the call tells. */
  readonly offset: number;
  readonly skip?: Extent | undefined;
};

export type DeviceLaunch = {
  readonly kernel: string;
  /** The kernel's sizes. */
  readonly sizes: readonly { readonly name: string; readonly extent: Extent }[];
  readonly operands: readonly DeviceOperand[];
  /** The IR value it computes, for traces and faults. */
  readonly value: string;
};

/** A kernel, or a collective whose rows are counted in elements, not bytes: offsets, widths and strides. */
export type DeviceStep = DeviceLaunch | CollectiveStep;

export const isLaunch = (step: DeviceStep): step is DeviceLaunch => "kernel" in step;

/** A region of activations: `rows` rows of `cols` elements. */
export type DeviceBuffer = {
  readonly name: string;
  readonly dtype: DType;
  readonly rows: Extent;
  readonly cols: number;
};

/**
 * Where a region lies: bytes from the beginning of the workspace, which all programs use in turn, and how many it has room for, in whole fractals
 * where it lies in such. Regions that are never needed at the same time may lie over one another.
 */
export type PlacedBuffer = DeviceBuffer & { readonly at: number; readonly bytes: number };

/** A region that outlives the call: a row for each position of the context. */
export type DeviceCache = { readonly name: string; readonly dtype: DType; readonly cols: number };

export type DeviceProgram = CallLimits & {
  /** The phase: prefill or decode. */
  readonly name: string;
  readonly buffers: readonly PlacedBuffer[];
  readonly steps: readonly DeviceStep[];
  /** The buffers that take the ids and positions, i32 [S], and the one that gives the logits, f32 [S, vocab], if this rank has them. */
  readonly inputs: { readonly ids: string; readonly positions: string };
  readonly logits?: string | undefined;
  /** Where each router's choices lie after the last step, i32 [rows, k]. */
  readonly routers: readonly { readonly buffer: string; readonly rows: Extent; readonly k: number }[];
};

/** A program whose regions lie nowhere yet. */
export type LooseProgram = Omit<DeviceProgram, "buffers"> & { readonly buffers: readonly DeviceBuffer[] };

/**
 * A weight in its own dtype. The plan holds it row by row; what is `fractal` lies in the device's fractals [.., K1, N, K0] in its memory, and whoever
 * loads it there brings it into them, as `npu_format_cast` does.
 */
export type DeviceWeight = {
  readonly name: string;
  readonly dtype: DType;
  readonly elements: number;
  readonly fractal?: true;
};

/** What one rank of a plan launches on a device of a profile. */
export type DevicePlan = {
  /** The profile's name; the profile itself is a file of the plan. */
  readonly machine: string;
  readonly programs: readonly DeviceProgram[];
  readonly caches: readonly DeviceCache[];
  readonly weights: readonly DeviceWeight[];
  readonly kernels: readonly string[];
};

/** One call of a program: so many new tokens behind so many positions. */
export type Call = {
  readonly tokens: number;
  readonly past: number;
  /** What dispatches have told of this call, by the name of what they count. */
  readonly told?: ReadonlyMap<string, number>;
  /** Of the choices of each row that they brought, those of experts here, where that is reckoned with. */
  readonly choices?: ReadonlyMap<string, Choices>;
};

/** So many of so many choices of a row. */
export type Choices = { readonly here: number; readonly of: number };

/**
 * What an extent counts in a call: new tokens S or a share of them, positions before them P, both together T, or what a dispatch tells; all
 * tokens at most where it has not told yet.
 */
export function callSize({ times, dim }: Extent, { tokens, past, told }: Call): number {
  const known = dim === "P" ? past : told?.get(dim);
  return known === undefined ? count({ times, dim }, tokens, past + tokens) : times * known;
}

/** The sizes of a launch in a call. */
export const launchSizes = ({ sizes }: DeviceLaunch, call: Call): ReadonlyMap<string, number> =>
  new Map(sizes.map(({ name, extent }) => [name, callSize(extent, call)]));

/** The most that extents count in any call. */
export function mostSize(limits: CallLimits, context: number): (extent: Extent) => number {
  const most = mostOf(limits, context);
  return (extent) => (extent.dim === "P" ? extent.times * (context - 1) : most(extent));
}

/** The collectives of a program with their rows in bytes, an element of a dtype taking what `bytesOf` says. */
export function collectivesOf(
  { maxTokens, mostTold, steps, buffers }: DeviceProgram,
  bytesOf: (dtype: DType) => number = (dtype) => byteLength(dtype, 1),
): CallLimits & { readonly steps: readonly CollectiveStep[] } {
  const dtypes = new Map(buffers.map((it) => [it.name, it.dtype]));
  const collectives = steps.flatMap((step) => (isLaunch(step) ? [] : [step]));
  return {
    maxTokens,
    mostTold,
    steps: collectives.map((step) => inBytes(step, (buffer) => bytesOf(dtypes.get(buffer) ?? "f32"))),
  };
}

/** A collective with its rows in bytes, given what an element of each buffer takes. */
export const inBytes = (step: CollectiveStep, bytesOf: (buffer: string) => number): CollectiveStep => ({
  ...step,
  collective: mapRows(step.collective, ({ skip, ...it }) => {
    const n = bytesOf(it.buffer);
    const more = skip && { skip: { ...skip, times: skip.times * n } };
    return { ...it, offset: it.offset * n, width: it.width * n, stride: it.stride * n, ...more };
  }),
});

/** The file of a plan that holds a kernel's schedule, and the one that holds a profile. */
export const scheduleFile = (kernel: string): string => `schedules/${kernel}.sched`;
export const profileFile = (machine: string): string => `profiles/${machine}.json`;
