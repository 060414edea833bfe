import { definitions, isOp, type Func, type Node, type Value } from "../ir/graph.ts";
import { parseModule } from "../ir/parser.ts";
import { valueNames } from "../ir/printer.ts";
import { formatDims } from "../ir/types.ts";
import type { Plan } from "../plan/read-plan.ts";
import { fail } from "../support/diagnostics.ts";
import { formats } from "../tensor/format.ts";
import { inputs, sourceNames, type Recipe } from "../tensor/recipe.ts";
import { createDevice, launchesOf } from "./device/device.ts";
import { openEngine } from "./engine/open.ts";
import { deviceProbe, engineProbe, lookInto, prefillOf, type Look, type Seen } from "./probe.ts";
import { startTeam } from "./ranks/team.ts";

/** A value that a plan computes into memory of its own. */
export type TracedValue = {
  /** What it is called in module.mir. */
  readonly name: string;
  readonly node: Node;
  /** Which of the node's results it is. */
  readonly result: number;
  /** The same for the same value of the same model in another plan: where it comes from, by which operator. */
  readonly key: string;
  /** The tensors of the model that the operator reads as weights. */
  readonly weights: readonly string[];
  /** Bits of the narrowest codes among what the operator multiplies with; 32 where it has none. */
  readonly bits: number;
  /** Whether the plan keeps or multiplies numbers in floats of 16 bits. */
  readonly half: boolean;
};

/** A value of one run as it was, on one of the ranks that have all of it. */
export type Recorded = { readonly value: TracedValue; readonly rank: number; readonly numbers: Float32Array };

/** A plan that shows every value of one call of prefill. */
export type Tracer = {
  /** The most tokens a call takes. */
  readonly maxTokens: () => Promise<number>;
  /**
   * Run tokens as one sequence from its start, in one call. Values come in the order in which each rank computes them; those that are given, by
   * their keys, are put in the place of what was computed, and later steps read them.
   */
  readonly run: (
    ids: readonly number[],
    given?: ReadonlyMap<string, Float32Array>,
  ) => Promise<readonly Recorded[]>;
  readonly close: () => Promise<void>;
};

/** Operators over codes do what those over numbers do. */
const plainOp = (op: string): string => ({ integerLinear: "linear", integerExperts: "experts" })[op] ?? op;

/** Bits of the narrowest codes that a weight is made of; the codes of the checkpoint itself do not count where they are floats. */
function bitsOf(recipe: Recipe): number {
  if (recipe.kind === "quantize") return formats[recipe.format].bits;
  if (recipe.kind === "dequantize" && recipe.of.kind === "source" && recipe.of.dtype === "i8")
    return recipe.bits ?? 8;
  if (recipe.dtype === "f4e2m1") return 4;
  return Math.min(32, ...inputs(recipe).map(bitsOf));
}

/** Operators whose result is what they read, in another form. */
const isView = ({ op }: Node): boolean => ["slice", "reshape", "broadcast", "concat"].includes(op);

/** Collectives whose result is the whole of what an operator before them makes. */
const gathering: readonly string[] = ["allReduce", "allGather", "combine"];

/** The operator whose result a collective makes whole, or a node itself. */
function madeBy(made: ReadonlyMap<Value, Node>, node: Node): Node {
  const [first] = node.operands;
  const before = first && gathering.includes(node.op) ? made.get(first) : undefined;
  return before ? madeBy(made, before) : node;
}

/** Values that are a rank's own addends of a sum. */
function addendsOf({ body }: Func): ReadonlySet<Value> {
  const found = new Set<Value>();
  for (const node of body.toReversed())
    if (node.op === "allReduce" || (node.op === "add" && node.results.some((it) => found.has(it))))
      node.operands.forEach((it) => found.add(it));
  return found;
}

/** The values of a function that some rank has whole, in order, each with the name of the first of its node's, the one that steps are named by. */
function tracedValues(
  func: Func,
  half: boolean,
): readonly { readonly step: string; readonly value: TracedValue }[] {
  const nameOf = valueNames(func);
  const made = definitions(func);
  const recipes = (node: Node): readonly Recipe[] =>
    node.operands.flatMap((operand) => {
      const maker = made.get(operand);
      return isOp(maker, "weight") ? [maker.attrs.recipe] : [];
    });
  const codeBits = ({ attrs }: Node) =>
    [attrs["bits"], attrs["gateUpBits"], attrs["downBits"]].filter((it) => typeof it === "number");
  const addends = addendsOf(func);
  const rounded = new Set<Value>();
  const seen = new Map<string, number>();
  return func.body.flatMap((node) => {
    const by = madeBy(made, node);
    const read = recipes(by);
    const ofCache = node.operands.some((it) => rounded.has(it));
    if (node.op === "dequantizeRows" || (ofCache && isView(node)))
      node.results.forEach((it) => rounded.add(it));
    const bits = Math.min(...read.map(bitsOf), ...codeBits(by), ofCache ? 8 : 32);
    const weights = read.flatMap(sourceNames);
    return node.results.flatMap((value, result) => {
      if (addends.has(value)) return [];
      // Ranks have parts of values besides the whole ones: those are of another shape.
      const what = `${plainOp(by.op)} of ${node.origin.join(", ")} ${formatDims(value.type.dims)} ${result}`;
      const nth = seen.get(what) ?? 0;
      seen.set(what, nth + 1);
      const traced = { name: nameOf(value), node, result, key: `${what} #${nth}`, weights, bits, half };
      const [first] = node.results;
      return [{ step: first ? nameOf(first) : "", value: traced }];
    });
  }); // prettier-ignore
}

/** Looks into the ranks of a plan, here or in processes of their own. */
type Sight = Pick<Tracer, "maxTokens" | "close"> & {
  readonly look: (ids: readonly number[], looks: readonly Look[]) => Promise<readonly Seen[]>;
};

/** A plan of one rank for the CPU. */
function sightHere(plan: Plan): Sight {
  const program = prefillOf(plan.programs(0));
  let listener: ((step: number) => void) | undefined;
  const engine = openEngine(plan, 0, { threads: 1, onStep: (_, step) => listener?.(step) });
  return {
    maxTokens: () => Promise.resolve(program.maxTokens),
    look: (ids, looks) => {
      const probe = engineProbe(engine, program, (it) => void (listener = it));
      return Promise.resolve(looks.map((it) => lookInto(probe, ids, it)));
    },
    close: engine.close,
  };
}

/** A plan of one rank for a device. */
function sightOnDevice(plan: Plan): Sight {
  const device = createDevice(plan);
  return {
    maxTokens: () => Promise.resolve(device.program("prefill").maxTokens),
    look: (ids, looks) => Promise.resolve(looks.map((it) => lookInto(deviceProbe(device), ids, it))),
    close: async () => {},
  };
}

/** A plan of many ranks. */
function sightOfTeam(plan: Plan): Sight {
  const team = startTeam(plan, plan.manifest.ranks.length);
  return { maxTokens: () => team.maxTokens("prefill"), look: team.look, close: team.close };
}

/** Whether a device keeps or multiplies numbers in floats of 16 bits. */
function isHalf(plan: Plan, rank: number): boolean {
  if (plan.manifest.machine === undefined) return false;
  const halves: readonly string[] = ["bf16", "f16"];
  const { caches, programs } = launchesOf(plan, rank);
  return [...caches, ...programs.flatMap((it) => it.buffers)].some((it) => halves.includes(it.dtype));
}

/** Load a plan of a decoder to be looked into, each rank on one thread. Throws `run/graph` for plans of graphs. */
export function openTracer(plan: Plan): Tracer {
  const { manifest } = plan;
  const values = manifest.ranks.map((_, rank) => {
    const own = `rank-${rank}.mir`;
    const name = own in manifest.files ? own : "module.mir";
    const func = parseModule(plan.read(name).toString(), plan.file(name)).funcs.find(
      (it) => it.name === "prefill",
    );
    return func && tracedValues(func, isHalf(plan, rank));
  });
  if (manifest.graph || values.length === 0 || values.includes(undefined)) {
    const inputs = manifest.graph?.inputs.map((it) => it.name).join(", ") ?? "";
    return fail("run/graph", { kind: "file", file: plan.dir }, inputs);
  }
  const one = manifest.machine === undefined ? sightHere : sightOnDevice;
  const sight = (values.length > 1 ? sightOfTeam : one)(plan);
  return {
    maxTokens: async () => Math.min(await sight.maxTokens(), manifest.context),
    run: async (ids, given = new Map()) => {
      const looks = values.map((own = []): Look => ({
        values: own.map(({ step, value }) => ({ step, name: value.name })),
        given: new Map(own.flatMap(({ value }) => [[value.name, given.get(value.key)]] as const).filter((it): it is [string, Float32Array] => it[1] !== undefined)),
      })); // prettier-ignore
      const seen = await sight.look(ids, looks);
      return seen.flatMap((of, rank) => {
        const byName = new Map((values[rank] ?? []).map(({ value }) => [value.name, value]));
        return of.flatMap(({ name, numbers }): Recorded[] => {
          const value = byName.get(name);
          return value ? [{ value, rank, numbers }] : [];
        });
      });
    },
    close: sight.close,
  };
}

/** Whether a value is numbers, not indices. */
export const isNumbers = ({ node, result }: TracedValue): boolean =>
  node.results[result]?.type.dtype === "f32";

/** Whether a value is what one half of a layer leaves to the next: a sum of the residual stream. */
export const isResidual = ({ node, result }: TracedValue): boolean =>
  result === 0 && (isOp(node, "addRmsNorm") || isOp(node, "add"));
