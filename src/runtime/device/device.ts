/** A device with a plan's weights in its memory, simulated: kernels are carried out on data, one launch after another. */
import { parseProfile, type Profile } from "../../machine/profile.ts";
import type { Kernel } from "../../machine/schedule/kernel.ts";
import { parseKernel } from "../../machine/schedule/parser.ts";
import { executable, type Executable } from "../../machine/simulate/execute.ts";
import { stridesOf, valuesFor, type Bound, type Values } from "../../machine/simulate/memory.ts";
import { roundingTo } from "../../machine/simulate/rounding.ts";
import {
  callSize,
  inBytes,
  isLaunch,
  launchSizes,
  mostSize,
  type Call,
  profileFile,
  scheduleFile,
  type DeviceLaunch,
  type DeviceOperand,
  type DevicePlan,
  type DeviceProgram,
} from "../../plan/program/device.ts";
import { parseDevicePlan } from "../../plan/program/device-file.ts";
import type { CollectiveStep, Extent, Rows } from "../../plan/program/program.ts";
import type { Plan } from "../../plan/read-plan.ts";
import { fail } from "../../support/diagnostics.ts";
import { decodeToF32 } from "../../tensor/codec.ts";
import { byteLength, type DType } from "../../tensor/dtype.ts";
import type { Collect, CollectiveCall, PlacedRows } from "../engine/execute.ts";

/** What a plan brings to a device: its profile and its kernels by name. */
export type Loaded = {
  readonly device: DevicePlan;
  readonly profile: Profile;
  readonly kernels: ReadonlyMap<string, Kernel>;
};

/** Read what a rank of a device plan launches. Throws `plan/damaged`. */
export function launchesOf(plan: Plan, rank: number): DevicePlan {
  const programs = plan.manifest.ranks[rank]?.programs ?? damaged(`it has no programs of rank ${rank}`);
  return parseDevicePlan(plan.read(programs).toString(), plan.file(programs));
}

/** Read what a rank of a device plan launches, its profile and its schedules. Throws what parsing them throws. */
export function loadDevice(plan: Plan, rank = 0): Loaded {
  const read = (name: string): string => plan.read(name).toString();
  const device = launchesOf(plan, rank);
  const own = profileFile(device.machine);
  const profile = parseProfile(read(own), plan.file(own));
  const kernels = new Map(
    device.kernels.map((name) => [
      name,
      parseKernel(read(scheduleFile(name)), plan.file(scheduleFile(name))),
    ]),
  );
  return { device, profile, kernels };
}

/** The logits of a call, none where this rank has none, and what its routers chose. */
type Ran = { readonly logits: Float32Array; readonly routes: readonly Int32Array[] };

/** The simulated device. Calls must follow one another: caches grow with `past`. */
export type Device = {
  readonly program: (name: string) => DeviceProgram;
  /** Run ids behind the past; gives the logits [S, vocab] and each router's choices [S, k], valid until the next call. */
  readonly run: (
    program: string,
    ids: readonly number[],
    past: number,
    onStep?: (step: number) => void,
  ) => Ran;
  /** The numbers of a buffer in a call of so many tokens from a sequence's start; undefined where it holds none. */
  readonly read: (program: string, buffer: string, tokens: number) => Float32Array | undefined;
  /** Put numbers into a buffer, rounded to what it holds. */
  readonly write: (program: string, buffer: string, numbers: Float32Array) => void;
};

/** A step of a program, ready to be carried out in a call; a collective tells what it counted. */
type Step = (call: Call, tell: CollectiveCall["tell"]) => void;

/** Load a rank of a device plan: weights are decoded, room is made for caches and buffers. `collect` does what it does with other ranks. */
export function createDevice(plan: Plan, rank = 0, collect: Collect = alone): Device {
  const loaded = loadDevice(plan, rank);
  const memory = memoryOf(plan, loaded.device);
  const launchIn = launcher(loaded, memory);
  const meetIn = meeter(memory, collect);
  const programs = new Map(
    loaded.device.programs.map((program) => {
      const steps = program.steps.map((it) =>
        isLaunch(it) ? launchIn(program.name, it) : meetIn(program.name, it),
      );
      return [program.name, { program, steps }];
    }),
  );
  const known = (name: string) => programs.get(name) ?? damaged(`it has no ${name} program`);
  return {
    program: (name) => known(name).program,
    read: (name, of, tokens) => {
      const buffer = known(name).program.buffers.find((it) => it.name === of);
      const values = buffer && memory.buffer(name, of).values;
      return values instanceof Float32Array
        ? values.subarray(0, callSize(buffer?.rows ?? { times: 0, dim: "1" }, { tokens, past: 0 }) * (buffer?.cols ?? 0))
        : undefined;
    }, // prettier-ignore
    write: (name, of, numbers) => {
      const { values, dtype } = memory.buffer(name, of);
      values.set(dtype === "f32" ? numbers : numbers.map(roundingTo(dtype)));
    },
    run: (name, ids, past, onStep) => {
      const { program, steps } = known(name);
      const buffer = (of: string): Values => memory.buffer(name, of).values;
      ids.forEach((id, i) => (buffer(program.inputs.ids)[i] = id));
      ids.forEach((_, i) => (buffer(program.inputs.positions)[i] = past + i));
      const told = new Map<string, number>();
      const call = { tokens: ids.length, past, told };
      for (const [i, step] of steps.entries()) {
        step(call, (dim, size) => void told.set(dim, size));
        onStep?.(i);
      }
      return {
        logits: logitsIn(memory, program, ids.length),
        routes: program.routers.map(({ buffer: of, rows, k }) =>
          Int32Array.from(buffer(of).subarray(0, callSize(rows, call) * k)),
        ),
      };
    },
  };
}

/** Carries out the launches of a program. */
function launcher({ kernels, profile }: Loaded, memory: Memory) {
  const ready = new Map<string, Executable>();
  const executableOf = (name: string): Executable => {
    const known = ready.get(name) ?? executable(kernelOf(kernels, name), profile);
    ready.set(name, known);
    return known;
  };
  return (program: string, launch: DeviceLaunch): Step =>
    (call) => {
      const sizes = launchSizes(launch, call);
      const { tensors } = kernelOf(kernels, launch.kernel);
      const bound = launch.operands.map((it): [string, Bound] => {
        const tensor =
          tensors.find((t) => t.name === it.tensor) ?? damaged(`${launch.kernel} has no ${it.tensor}`);
        const offset = it.offset + (it.skip ? callSize(it.skip, call) : 0);
        return [
          it.tensor,
          { values: memory.operand(program, it), offset, strides: stridesOf(tensor, sizes) },
        ];
      });
      executableOf(launch.kernel)({ sizes, tensors: new Map(bound) });
    };
}

/** Does the collectives of a program. Arrays hold numbers of any dtype in as many bytes as their own elements take. */
function meeter(memory: Memory, collect: Collect) {
  return (program: string, collective: CollectiveStep): Step => {
    const step = inBytes(collective, (it) => memory.buffer(program, it).values.BYTES_PER_ELEMENT);
    return (call, tell) => {
      const size = (extent: Extent): number => callSize(extent, call);
      const place = ({ buffer, offset, skip, rows, width, stride }: Rows): PlacedRows => {
        const { values, dtype } = memory.buffer(program, buffer);
        const at = values.byteOffset + offset + (skip ? size(skip) : 0);
        const round = dtype === "bf16" || dtype === "f16" ? roundingTo(dtype) : undefined;
        return { memory: values.buffer, at, rows: size(rows), width, stride, round };
      };
      collect({ step, place, size, tell });
    };
  };
}

const alone: Collect = () => damaged("a rank alone is to meet others");

/** A buffer of the simulated device: rows of so many elements. */
type Room = { readonly values: Values; readonly dtype: DType; readonly cols: number };

/** What a rank's device holds, by program where it is that program's own. */
type Memory = {
  readonly buffer: (program: string, name: string) => Room;
  readonly operand: (program: string, of: DeviceOperand) => Values;
};

function memoryOf(plan: Plan, device: DevicePlan): Memory {
  const { context } = plan.manifest;
  const weights = new Map(device.weights.map((it) => [it.name, loadWeight(plan, it)]));
  const caches = new Map(
    device.caches.map(({ name, dtype, cols }) => [name, valuesFor(dtype, context * cols)]),
  );
  const rooms = new Map(device.programs.map((it) => [it.name, roomsOf(it, context)]));
  const missing = (name: string): never => damaged(`a step reads ${name}, which is not there`);
  const buffer: Memory["buffer"] = (program, name) => rooms.get(program)?.get(name) ?? missing(name);
  return {
    buffer,
    operand: (program, { region, name }) =>
      region === "buffer"
        ? buffer(program, name).values
        : ((region === "weight" ? weights : caches).get(name) ?? missing(name)),
  };
}

function roomsOf(program: DeviceProgram, context: number): ReadonlyMap<string, Room> {
  const most = mostSize(program, context);
  return new Map(program.buffers.map(({ name, dtype, rows, cols }) => [name, { dtype, cols, values: valuesFor(dtype, most(rows) * cols) }])); // prettier-ignore
}

/** The logits of so many tokens, none where the program gives none. */
function logitsIn(memory: Memory, { name, logits }: DeviceProgram, tokens: number): Float32Array {
  if (logits === undefined) return new Float32Array(0);
  const { values, cols } = memory.buffer(name, logits);
  return values instanceof Float32Array
    ? values.subarray(0, tokens * cols)
    : damaged("its logits are whole numbers");
}

export const kernelOf = (kernels: ReadonlyMap<string, Kernel>, name: string): Kernel =>
  kernels.get(name) ?? damaged(`a launch is of ${name}, which is not there`);

const damaged = (why: string): never => fail("plan/damaged", undefined, "plan.json", why);

/** A weight's elements as the simulator holds them. */
function loadWeight(plan: Plan, { name, dtype, elements }: DevicePlan["weights"][number]): Values {
  const stored = new Uint8Array(byteLength(dtype, elements));
  plan.loadWeight(name, stored);
  const values = valuesFor(dtype, elements);
  if (values instanceof Int8Array && dtype === "i8") values.set(new Int8Array(stored.buffer));
  else if (values instanceof Int32Array) values.set(new Int32Array(stored.buffer));
  else {
    const floats = values instanceof Float32Array ? values : new Float32Array(elements);
    decodeToF32(dtype, stored, floats);
    if (values !== floats) values.set(floats);
  }
  return values;
}
