import { decoderPhases } from "../../../passes/index.ts";
import { cpuFunction } from "../../../targets/cpu/target.ts";
import type { Func } from "../../ir/graph.ts";
import { runPasses } from "../../pass/runner.ts";
import { createPacker, packerCode } from "../../plan/packing/packer.ts";
import { storedForm } from "../../plan/stored-weight.ts";
import { weightShelf } from "../../plan/weights.ts";
import { weightBytes } from "../../plan/write-weight.ts";
import { createEngine } from "../../runtime/engine/engine.ts";
import type { RowReader } from "../../tensor/recipe-rows.ts";
import { scratch } from "../../tensor/scratch.ts";
import { assemble } from "../../wasm/assemble.ts";

/** Named activations of one call, row-major. */
export type Activations = ReadonlyMap<string, Float32Array | Int32Array>;

/** A piece of a model on the engine, its weights in memory until it is closed. */
export type SegmentCode = {
  /** Run `tokens` rows of inputs as one sequence from its start; gives the function's results. */
  readonly run: (inputs: Activations, tokens: number) => Activations;
  readonly close: () => Promise<void>;
};

const productOf = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** Threads that have fewer weights to go through wait for one another longer than they work. */
const elementsAThread = 1 << 22;

/** Lower a function whose first axes count tokens, and load it: at most `maxTokens` tokens a call. */
export async function loadSegment(
  func: Func,
  reader: RowReader,
  maxTokens: number,
  threads: number,
): Promise<SegmentCode> {
  const [lowered] = runPasses({ funcs: [func] }, decoderPhases).funcs;
  if (!lowered) throw new Error("a module of one function lost it");
  const shelf = weightShelf();
  const code = cpuFunction(lowered, shelf, maxTokens);
  const tools = { reader, memory: scratch(), packer: createPacker(await packerCode(assemble)) };
  const requests = new Map(shelf.requests().map((w) => [w.name, w]));
  const elements = shelf.requests().reduce((n, w) => n + productOf(w.recipe.shape), 0);
  const engine = createEngine({
    kernels: await code.kernels(assemble),
    programs: [code.program],
    caches: code.caches,
    weights: [...requests.values()].map((w) => ({ name: w.name, bytes: storedForm(w).bytes })),
    loadWeight: (name, target) => {
      const request = requests.get(name);
      let at = 0;
      if (request)
        weightBytes(request, tools, (bytes) => {
          target.set(bytes, at);
          at += bytes.byteLength;
        });
    },
    context: maxTokens,
    threads: Math.max(1, Math.min(threads, Math.floor(elements / elementsAThread))),
  });
  return {
    run: (inputs, tokens) => {
      const read = engine.call(code.program.name, inputs, tokens);
      return new Map(
        func.results.map(({ name, value }) => {
          const view = code.results.get(name);
          if (!view) throw new Error(`${name} was not computed`);
          const sizes = value.type.dims.map((d) => (typeof d === "number" ? d : tokens));
          const values = gather(read, view, sizes);
          return [name, value.type.dtype === "i32" ? new Int32Array(values.buffer) : values];
        }),
      );
    },
    close: engine.close,
  };
}

type Region = { readonly region: string; readonly offset: number; readonly strides: readonly number[] };

/** A view of any strides, copied row-major. */
function gather(
  read: (buffer: string, length: number, offset: number) => Float32Array,
  { region, offset, strides }: Region,
  sizes: readonly number[],
): Float32Array<ArrayBuffer> {
  const span = sizes.reduce((n, d, i) => n + (d - 1) * (strides[i] ?? 0), 1);
  const room = read(region, span, offset * 4);
  const [a = 1, b = 1, c = 1] =
    sizes.length === 3 ? sizes : sizes.length === 2 ? [sizes[0], 1, sizes[1]] : [1, 1, sizes[0]];
  const [sa = 0, sb = 0, sc = 1] =
    sizes.length === 3 ? strides : sizes.length === 2 ? [strides[0], 0, strides[1]] : [0, 0, strides[0]];
  const out = new Float32Array(a * b * c);
  for (let i = 0, at = 0; i < a; i++)
    for (let j = 0; j < b; j++, at += c)
      if (sc === 1) out.set(room.subarray(i * sa + j * sb, i * sa + j * sb + c), at);
      else for (let k = 0; k < c; k++) out[at + k] = room[i * sa + j * sb + k * sc] ?? 0;
  return out;
}
