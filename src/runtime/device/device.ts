/** A device with a plan's weights in its memory, simulated: kernels are carried out on data, one launch after another. */
import { readFileSync } from "node:fs";
import { parseProfile, type Profile } from "../../machine/profile.ts";
import type { Kernel } from "../../machine/schedule/kernel.ts";
import { parseKernel } from "../../machine/schedule/parser.ts";
import { executable, type Executable } from "../../machine/simulate/execute.ts";
import { stridesOf, valuesFor, type Bound, type Values } from "../../machine/simulate/memory.ts";
import {
  callSize,
  type Call,
  profileFile,
  scheduleFile,
  type DeviceLaunch,
  type DeviceOperand,
  type DevicePlan,
  type DeviceProgram,
} from "../../plan/program/device.ts";
import { parseDevicePlan } from "../../plan/program/device-file.ts";
import type { Plan } from "../../plan/read-plan.ts";
import { fail } from "../../support/diagnostics.ts";
import { decodeToF32 } from "../../tensor/codec.ts";
import { byteLength } from "../../tensor/dtype.ts";

/** What a plan brings to a device: its profile and its kernels by name. */
export type Loaded = {
  readonly device: DevicePlan;
  readonly profile: Profile;
  readonly kernels: ReadonlyMap<string, Kernel>;
};

/** Read the profile and the schedules of a device plan. Throws what parsing them throws. */
export function loadDevice(plan: Plan): Loaded {
  const read = (name: string): string => readFileSync(plan.file(name), "utf8");
  const programs = plan.manifest.ranks[0]?.programs ?? "";
  const device = parseDevicePlan(read(programs), plan.file(programs));
  const profile = parseProfile(read(profileFile), plan.file(profileFile));
  const kernels = new Map(
    device.kernels.map((name) => [
      name,
      parseKernel(read(scheduleFile(name)), plan.file(scheduleFile(name))),
    ]),
  );
  return { device, profile, kernels };
}

/** The sizes of a launch in a call. */
export const launchSizes = ({ sizes }: DeviceLaunch, call: Call): ReadonlyMap<string, number> =>
  new Map(sizes.map(({ name, extent }) => [name, callSize(extent, call)]));

type Ran = { readonly logits: Float32Array; readonly routes: readonly Int32Array[] };

/** The simulated device. Calls must follow one another: caches grow with `past`. */
export type Device = {
  readonly program: (name: string) => DeviceProgram;
  /** Run ids behind the past; gives the logits [S, vocab] and each router's choices [S, k], valid until the next call. */
  readonly run: (program: string, ids: readonly number[], past: number) => Ran;
};

/** Load a device plan: weights are decoded, room is made for caches and buffers. */
export function createDevice(plan: Plan): Device {
  const { device, profile, kernels } = loadDevice(plan);
  const { context } = plan.manifest;
  const ready = new Map<string, Executable>();
  const executableOf = (name: string): Executable => {
    const known = ready.get(name) ?? executable(kernelOf(kernels, name), profile);
    ready.set(name, known);
    return known;
  };
  const weights = new Map(device.weights.map((it) => [it.name, loadWeight(plan, it)]));
  const caches = new Map(
    device.caches.map(({ name, dtype, cols }) => [name, { values: valuesFor(dtype, context * cols), cols }]),
  );
  const buffers = new Map(
    device.programs.map(({ name, maxTokens, buffers }) => [
      name,
      new Map(
        buffers.map((it) => [
          it.name,
          valuesFor(it.dtype, callSize(it.rows, { tokens: maxTokens, past: context - maxTokens }) * it.cols),
        ]),
      ),
    ]),
  );
  const program = (name: string): DeviceProgram =>
    device.programs.find((it) => it.name === name) ?? damaged(`it has no ${name} program`);
  const buffer = (of: string, name: string): Values =>
    buffers.get(of)?.get(name) ?? damaged(`a launch reads ${name}, which is not there`);

  const place = (of: string, { region, name, offset }: DeviceOperand): Omit<Bound, "strides"> => {
    if (region === "buffer") return { values: buffer(of, name), offset };
    if (region === "weight")
      return { values: weights.get(name) ?? damaged(`a launch reads ${name}, which is not there`), offset };
    const cache = caches.get(name) ?? damaged(`a launch reads ${name}, which is not there`);
    return { values: cache.values, offset };
  };
  const launchAll = (name: string, call: Call): void => {
    for (const launch of program(name).launches) {
      const sizes = launchSizes(launch, call);
      const { tensors } = kernelOf(kernels, launch.kernel);
      const bound = launch.operands.map((it): [string, Bound] => {
        const tensor =
          tensors.find((t) => t.name === it.tensor) ?? damaged(`${launch.kernel} has no ${it.tensor}`);
        return [it.tensor, { ...place(name, it), strides: stridesOf(tensor, sizes) }];
      });
      executableOf(launch.kernel)({ sizes, tensors: new Map(bound) });
    }
  };
  return {
    program,
    run: (name, ids, past) => {
      const { inputs, logits, routers } = program(name);
      ids.forEach((id, i) => (buffer(name, inputs.ids)[i] = id));
      ids.forEach((_, i) => (buffer(name, inputs.positions)[i] = past + i));
      launchAll(name, { tokens: ids.length, past });
      return {
        logits: floats(buffer(name, logits)),
        routes: routers.map((it) => Int32Array.from(buffer(name, it.buffer).subarray(0, ids.length * it.k))),
      };
    },
  };
}

const floats = (values: Values): Float32Array =>
  values instanceof Float32Array ? values : damaged("its logits are whole numbers");

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
