/** The kernels of a forecast on schedules of the device, timed by the simulator. */
import type { KernelCost, KernelSpec } from "../../cluster/model/kernel.ts";
import { forecastOf, partsOf, stepOf, type Forecast } from "../../cluster/model/forecast.ts";
import type { Phase } from "../../cluster/model/layer/work.ts";
import type { Service, Station } from "../../cluster/model/service.ts";
import type { Profile } from "../../machine/profile.ts";
import { microseconds } from "../../machine/rates.ts";
import type { Device } from "../device/parts.ts";
import { CompileError } from "../../support/diagnostics.ts";
import { storesFractals } from "../../../targets/device/kernels/matrix/flow.ts";
import type { GemmSpec, Weights } from "../../../targets/device/kernels/matrix/spec.ts";
import { bestAttention, cyclesOfCall } from "../../../targets/device/search/attention.ts";
import { bestTile } from "../../../targets/device/search/search.ts";

/** What a kernel takes besides its start: by the analytic model, and on a schedule where the device has one for it. */
export type TimedKernel = {
  readonly name: string;
  readonly phase: Phase;
  readonly analyticMicroseconds: number;
  readonly simulatedMicroseconds?: number;
  readonly restsOn: "simulated schedule" | "analytic model";
};

/** A station of a service by the analytic model, and with the kernels that have schedules timed on them. */
export type Repriced = {
  readonly phase: Phase;
  readonly station: Station;
  readonly simulated: Forecast;
  readonly kernels: readonly TimedKernel[];
};

/** Tiles that are known, and how many are tried of those that are not. */
type Search = Pick<Device, "tiles" | "trials">;

type Product = Extract<KernelSpec, { readonly kind: "matmul" }>;
type Attention = Extract<KernelSpec, { readonly kind: "attention" }>;

/** How the weights of a product lie. */
function weightsOf(profile: Profile, { math, weightBytes, converts, n, k }: Product): Weights {
  const codes = weightBytes < 0.75 ? "i4" : "i8";
  if (math === "i8")
    return { kind: "integer", dtype: codes, group: k, nz: codes === "i8" && storesFractals(profile, "i8", "i8", [n, k]) }; // prettier-ignore
  if (converts) return { kind: "coded", dtype: codes, group: k, zeros: false };
  return { kind: "plain", dtype: math, nz: storesFractals(profile, math, math, [n, k]) };
}

/** The best schedule of a product; several matrices are multiplied as experts are, with as many rows each. */
function productTime(profile: Profile, sizes: Product, { tiles, trials }: Search): number {
  const [m, n, k, count] = [sizes.m, sizes.n, sizes.k, sizes.count].map(Math.ceil) as [number, number, number, number]; // prettier-ignore
  const out = profile.matrix.rates.some((it) => it.a === "bf16") ? "bf16" : "f16";
  const spec: GemmSpec = {
    a: { dtype: sizes.math, width: k },
    w: weightsOf(profile, { ...sizes, n, k }),
    out: { dtype: out, width: n },
    ...(count > 1 && { experts: count }),
  };
  return microseconds(profile, bestTile(profile, spec, m * count, trials, tiles).cycles);
}

function attentionTime(profile: Profile, { shape, math }: Attention): number {
  const { heads, groups, dim, width, isLatent } = shape;
  const [sequences, queries, past] = [shape.sequences, shape.queries, shape.past].map(Math.ceil) as [number, number, number]; // prettier-ignore
  const view = (columns: number, n: number) => ({ dtype: math, width: columns, heads: Math.ceil(n) });
  const spec = {
    q: view(dim, heads),
    k: view(dim, groups),
    ...(!isLatent && { v: view(width, groups) }),
    out: view(width, heads),
    scale: 1,
    queries,
    sequences,
    keys: past + queries,
  };
  const cut = bestAttention(profile, spec);
  return microseconds(profile, cyclesOfCall(profile, spec, cut, { sequences, queries, past }));
}

/** Times of kernels on schedules, each looked for once; undefined for kernels that have none, and where none fits the device. */
function scheduleTimes(profile: Profile, search: Search): (spec: KernelSpec) => number | undefined {
  const known = new Map<string, number | undefined>();
  const find = (spec: KernelSpec): number | undefined => {
    try {
      if (spec.kind === "matmul") return productTime(profile, spec, search);
      return spec.kind === "attention" ? attentionTime(profile, spec) : undefined;
    } catch (error) {
      if (error instanceof CompileError) return undefined; // the report then names the analytic model
      throw error;
    }
  };
  return ({ name, ...spec }) => {
    const key = JSON.stringify(spec);
    if (!known.has(key)) known.set(key, find({ name, ...spec } as KernelSpec)); // the same, put together again
    return known.get(key);
  };
}

/** A cost by schedules where there are some; what is busy is shared out as the other cost has it. */
const costBy = (base: KernelCost, timeOn: (spec: KernelSpec) => number | undefined): KernelCost => ({
  ...base,
  time: (spec) => {
    const busy = base.time(spec);
    const found = timeOn(spec);
    if (found === undefined) return busy;
    const factor = found / Math.max(busy.matrix, busy.memory);
    return { ...busy, matrix: busy.matrix * factor, memory: busy.memory * factor };
  },
});

/** A cost of kernels by the schedules that a device has for them, and by another cost where it has none. */
export const simulatedCost = (profile: Profile, base: KernelCost, search: Search): KernelCost =>
  costBy(base, scheduleTimes(profile, search));

/** Time the chosen layouts of a service with schedules in the place of the analytic model. */
export function reprice({ decode, prefill }: Service, search: Search): readonly Repriced[] {
  const timers = new Map<Profile, ReturnType<typeof scheduleTimes>>();
  return [...decode, ...prefill].map((station): Repriced => {
    const { pool, forecast } = station;
    const { profile, machine } = pool;
    const timeOn = timers.get(profile) ?? scheduleTimes(profile, search);
    timers.set(profile, timeOn);
    const own = { ...pool, machine: { ...machine, cost: costBy(machine.cost, timeOn) } };
    const { phase } = forecast;
    const tasks = partsOf(pool, stepOf(pool, forecast)).flatMap((it) => it.tasks);
    const kernels = new Map(
      tasks.flatMap((task): [string, TimedKernel][] => {
        if (!("kernel" in task) || task.kernel.kind === "rows") return [];
        const { matrix, memory } = machine.cost.time(task.kernel);
        const found = timeOn(task.kernel);
        const restsOn = found === undefined ? "analytic model" : "simulated schedule";
        const { name } = task.kernel;
        return [[name, { name, phase, analyticMicroseconds: Math.max(matrix, memory), ...(found !== undefined && { simulatedMicroseconds: found }), restsOn }]]; // prettier-ignore
      }),
    );
    return { phase, station, simulated: forecastOf(own, forecast), kernels: [...kernels.values()] };
  });
}
