import type { Dim } from "../../src/ir/dim.ts";
import { definitions, isOp, type Func, type Node, type Value } from "../../src/ir/graph.ts";
import { formatRecipe, valueNames } from "../../src/ir/printer.ts";
import type { Profile } from "../../src/machine/profile.ts";
import type { Kernel } from "../../src/machine/schedule/kernel.ts";
import { time } from "../../src/machine/simulate/time.ts";
import { printKernel } from "../../src/machine/schedule/printer.ts";
import type { OpName } from "../../src/ir/ops/index.ts";
import {
  mostSize,
  type DeviceBuffer,
  type DeviceCache,
  type DeviceStep,
  type LooseProgram,
} from "../../src/plan/program/device.ts";
import { evenReader } from "../../src/plan/program/readers.ts";
import type { CallLimits, Extent } from "../../src/plan/program/program.ts";
import { compactStrides, compactView, extentOf, fixed } from "../../src/plan/views.ts";
import type { WeightShelf } from "../../src/plan/weights.ts";
import { fail } from "../../src/support/diagnostics.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import { quantizedParts } from "../../src/tensor/quantized.ts";
import { constant, type Recipe } from "../../src/tensor/recipe.ts";
import type { DeviceContext, DeviceView, KernelCache, MadeKernel, Origin } from "./context.ts";
import { homesOf } from "./homes.ts";
import type { AttentionChooser, TileChooser } from "./search/chooser.ts";
import type { Precision } from "./precision.ts";
import { deviceRules } from "./rules.ts";
import { cacheType, lastReader, readersOf, roundedIn, type Readers } from "./uses.ts";

/** Kernels by name; those of one text are one. */
export type KernelShelf = {
  readonly add: (kernel: Kernel) => string;
  readonly kernels: () => ReadonlyMap<string, Kernel>;
  /** The same, each with what it was made of. */
  readonly made: () => ReadonlyMap<string, MadeKernel>;
};

/** A shelf of kernels whose origins are known. */
export function kernelShelf(origins: ReadonlyMap<Kernel, Origin>): KernelShelf {
  const byText = new Map<string, string>();
  const kernels = new Map<string, Kernel>();
  const made = new Map<string, MadeKernel>();
  return {
    kernels: () => kernels,
    made: () => made,
    add: (kernel) => {
      const text = printKernel(kernel);
      const known = byText.get(text);
      if (known !== undefined) return known;
      let name = kernel.name;
      for (let i = 2; kernels.has(name); i++) name = `${kernel.name}_${i}`;
      const named = kernel.name === name ? kernel : { ...kernel, name };
      const origin = origins.get(kernel);
      byText.set(text, name);
      kernels.set(name, named);
      if (origin) made.set(name, { ...origin, kernel: named });
      return name;
    },
  };
}

/** A cache of kernels for one device, by their maker and what it was given; `origins` is told of each. */
export function kernelCache(profile: Profile, origins: Map<Kernel, Origin> = new Map()): KernelCache {
  const made = new Map<unknown, Map<string, Kernel>>();
  return (maker, ...specs) => {
    const own = made.get(maker) ?? new Map<string, Kernel>();
    made.set(maker, own);
    const key = JSON.stringify(specs);
    const kernel = own.get(key) ?? maker(profile, ...specs);
    own.set(key, kernel);
    if (!origins.has(kernel)) origins.set(kernel, { maker, specs });
    return kernel;
  };
}

/** Cycles of kernels of one device for so many rows of even work, each found once. */
export function kernelCycles(profile: Profile): DeviceContext["cycles"] {
  const found = new Map<Kernel, Map<number, number>>();
  return (kernel, rows) => {
    const own = found.get(kernel) ?? new Map<number, number>();
    found.set(kernel, own);
    const sizes = new Map([["S", rows]]);
    const cycles =
      own.get(rows) ?? time(kernel, profile, { sizes, reader: evenReader(kernel, sizes) }).cycles;
    own.set(rows, cycles);
    return cycles;
  };
}

/** Tables made at compile time, by name. */
export type TableShelf = Map<string, DeviceView>;

/** What all functions of a module share on a device. */
export type DeviceSetting = {
  readonly profile: Profile;
  readonly precision: Precision;
  readonly weights: WeightShelf;
  readonly kernels: KernelShelf;
  readonly kernel: KernelCache;
  readonly cycles: DeviceContext["cycles"];
  readonly tables: TableShelf;
  readonly context: number;
  readonly tile: TileChooser;
  readonly attentionTile: AttentionChooser;
};

export type LoweredDevice = { readonly program: LooseProgram; readonly caches: readonly DeviceCache[] };

const product = (dims: readonly (number | Dim)[]): number => dims.reduce<number>((n, d) => n * Number(d), 1);

/** Operators whose operands the matrix unit takes as they lie. */
const multiplying: ReadonlySet<OpName | "result"> = new Set(["linear", "headLinear", "experts", "attention", "cacheAppend"] as const); // prettier-ignore

/** Lower a function to launches and collectives. Operators without a rule are a diagnostic. */
export function lowerToDevice(func: Func, setting: DeviceSetting, limits: CallLimits): LoweredDevice {
  const { profile, precision, weights, kernels, kernel, tables, context: positions } = setting;
  const { tile, attentionTile, cycles } = setting;
  const made = definitions(func);
  const nameOf = valueNames(func);
  const buffers: DeviceBuffer[] = [];
  const steps: DeviceStep[] = [];
  const most = mostSize(limits, positions);
  const views = new Map<Value, DeviceView>();
  const caches = new Map<Value, DeviceCache>();
  const readers = readersOf(func);
  const roundedBy = roundedIn(func);
  let current: Node | undefined;
  let at = 0;
  const passed: { readonly view: DeviceView; until: number }[] = [];
  const readBy = (value: Value | undefined): Readers => readers.get(present(value)) ?? new Set();
  const wantedType = (value: Value | undefined): DType =>
    [...readBy(value)].some((it) => multiplying.has(it)) ? precision.operand : precision.carried;

  const present = (value: Value | undefined): Value => {
    if (!value) throw new Error(`${current?.op}: an operand is absent that its definition requires`);
    return value;
  };
  const room = (
    name: string,
    dtype: DeviceView["dtype"],
    rows: Extent,
    rest: readonly number[],
  ): DeviceView => {
    buffers.push({ name, dtype, rows, cols: product(rest) });
    const dims: readonly Dim[] = [rows.dim === "1" ? rows.times : rows.dim, ...rest];
    return { region: name, in: "buffer", offset: 0, dims, strides: compactStrides([1, ...rest]), dtype };
  };
  const ownRoom = (v: Value, dtype = wantedType(v)): DeviceView => {
    const [first = 1, ...rest] = v.type.dims;
    const own = room(nameOf(v), v.type.dtype === "i32" ? "i32" : dtype, extentOf(first), rest.map((d) => fixed(d, nameOf(v)))); // prettier-ignore
    const view = { ...own, dims: v.type.dims };
    views.set(v, view);
    return view;
  };
  const home = homesOf(func, {
    known: (value) => views.get(value),
    wanted: (value) => wantedType(value),
    room: ownRoom,
    added: (value, { type }) => {
      const cache = caches.get(value);
      const skip = cache && ({ times: cache.cols, dim: "P" } as const);
      return cache && { ...compactView(cache.name, type.dims), in: "cache", dtype: cache.dtype, skip };
    },
    bind: (value, view) => void views.set(value, view),
  });
  for (const param of func.params) {
    const [first = 1, ...rest] = param.type.dims;
    const cols = product(rest.map((d) => fixed(d, param.name)));
    if (first === "P")
      caches.set(param, { name: param.name, dtype: cacheType(func, param, readers, precision), cols });
    else
      views.set(param, {
        ...room(param.name, "i32", extentOf(first), [cols]),
        ...compactView(param.name, param.type.dims),
      });
  }
  const recipeOf = (value: Value | undefined): Recipe | undefined => {
    const node = value && made.get(value);
    if (isOp(node, "weight")) return node.attrs.recipe;
    return isOp(node, "constant") ? constant(node.attrs.dims, node.attrs.values) : undefined;
  };

  const stored = (recipe: Recipe, key: string): DeviceView => {
    const { name, dtype } = weights.exact(recipe, key);
    return { ...compactView(name, recipe.shape), in: "weight", dtype };
  };
  const context: DeviceContext = {
    profile,
    precision,
    kernel,
    tile,
    attentionTile,
    view: (value) =>
      views.get(present(value)) ??
      unsupported(made.get(present(value))?.op ?? "parameter", "it is read as an activation"),
    recipe: recipeOf,
    quantized: (value) => {
      const recipe = recipeOf(value);
      return recipe && quantizedParts(recipe);
    },
    weight: (recipe) => stored(recipe, formatRecipe(recipe)),
    fractals: (recipe) => stored(recipe, `${formatRecipe(recipe)} in fractals`),
    table: (name, make) => {
      const known = tables.get(name);
      if (known) return known;
      const { shape, values } = make();
      const view = stored(constant(shape, Array.from(values)), name);
      tables.set(name, view);
      return view;
    },
    readers: readBy,
    consumers: (value) => func.body.filter((node) => node.operands.includes(present(value))),
    wanted: wantedType,
    cycles,
    roundedAs: (value) => roundedBy.get(present(value)),
    positions,
    most,
    output: (value, dtype) => {
      const v = present(value);
      const there = views.get(v) ?? home(v);
      if (!there || there.dtype !== (dtype ?? there.dtype)) return ownRoom(v, dtype);
      views.set(v, there);
      return there;
    },
    passing: (value) => {
      const v = present(value);
      const [first = 1, ...rest] = v.type.dims;
      const cols = rest.map((d) => fixed(d, nameOf(v)));
      const free = passed.find((it) => it.until < at && it.view.dims.slice(1).join() === cols.join());
      const own = free ?? {
        view: room(`passing.${passed.length}`, wantedType(v), extentOf(first), cols),
        until: 0,
      };
      if (!free) passed.push(own);
      own.until = lastReader(func, v);
      const view = { ...own.view, dims: v.type.dims };
      views.set(v, view);
      return view;
    },
    scratch: (name, dtype, rows, rest) => {
      const [result] = current?.results ?? [];
      return room(`${result ? nameOf(result) : ""}.${name}`, dtype, rows, rest);
    },
    bind: (value, view) => void views.set(present(value), view),
    cache: (value, dims) => {
      const cache = caches.get(present(value)) ?? unsupported("cacheAppend", "its cache is not a parameter");
      return { ...compactView(cache.name, dims), in: "cache", dtype: cache.dtype };
    },
    launch: (kernel, sizes, operands) => {
      const [result] = current?.results ?? [];
      steps.push({
        kernel: kernels.add(kernel),
        sizes: Object.entries(sizes).map(([name, extent]) => ({ name, extent })),
        operands: Object.entries(operands).map(([tensor, view]) => ({
          tensor,
          region: view.in,
          name: view.region,
          offset: view.offset,
          ...(view.skip && { skip: view.skip }),
        })),
        value: result ? nameOf(result) : "",
      });
    },
    collect: (group, collective) => {
      const [result] = current?.results ?? [];
      steps.push({ collective, group, value: result ? nameOf(result) : "" });
    },
  };
  for (const [index, node] of func.body.entries()) {
    [current, at] = [node, index];
    if (node.op === "weight" || node.op === "constant") continue;
    const rule = deviceRules[node.op] ?? unsupported(node.op, "it has no schedule");
    rule(context, node as never); // the table gives each operator its own node type
  }
  const logits = func.results.find((it) => it.name === "logits");
  const program: LooseProgram = {
    name: func.name,
    ...limits,
    buffers,
    steps,
    inputs: { ids: "ids", positions: "positions" },
    ...(logits && { logits: context.view(logits.value).region }),
    routers: func.body.flatMap((node) => {
      const [indices] = isOp(node, "router") ? node.results : [];
      if (!indices) return [];
      const { region, dims } = context.view(indices);
      return [{ buffer: region, rows: extentOf(dims[0] ?? 1), k: fixed(dims[1], "router") }];
    }),
  };
  return { program, caches: [...caches.values()] };
}

const unsupported = (op: string, why: string): never => fail("target/unsupported-op", undefined, op, why);
