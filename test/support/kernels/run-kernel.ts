/** Schedules carried out on data, and what the interpreter makes of the same. */
import { kernels } from "../../../src/interp/kernels.ts";
import type { Tensor } from "../../../src/interp/tensor.ts";
import type { OpAttrs, OpName } from "../../../src/ir/ops/index.ts";
import type { Profile } from "../../../src/machine/profile.ts";
import { compileExpr, type Expr } from "../../../src/machine/schedule/expr.ts";
import type { Kernel } from "../../../src/machine/schedule/kernel.ts";
import { executable } from "../../../src/machine/simulate/execute.ts";
import { rowMajor, valuesFor, type Bound, type Values } from "../../../src/machine/simulate/memory.ts";
import { roundingTo } from "../../../src/machine/simulate/rounding.ts";
import { verifyKernel, type Trial } from "../../../src/machine/verify/verify.ts";
import { rowBlocks } from "../../../src/plan/program/row-blocks.ts";
import { ascend910b3 } from "../../../targets/ascend/profiles/910.ts";
import { birenBr100 } from "../../../targets/biren/profiles/br100.ts";
import { randomSource } from "../random.ts";

export type Sizes = Readonly<Record<string, number>>;
type Inputs = Readonly<Record<string, ArrayLike<number>>>;

/** One machine of split cores, and one of whole ones. */
export const machines = [ascend910b3, birenBr100].map((it) => [it.name, it] as const);

function valueOf(e: Expr, sizes: Sizes): number {
  const names = Object.keys(sizes);
  return compileExpr(e, (name) => names.indexOf(name))(Object.values(sizes));
}

/** Room for a tensor as its declaration says it lies, filled with `from` where that is given. */
function bind({ tensors }: Kernel, name: string, sizes: Sizes, from: ArrayLike<number> = []): Bound {
  const decl = tensors.find((it) => it.name === name);
  if (!decl) throw new Error(`no tensor is called ${name}`);
  const dims = decl.dims.map((it) => valueOf(it, sizes));
  const strides = decl.strides?.map((it) => valueOf(it, sizes)) ?? rowMajor(dims);
  const room = dims.reduce((n, d, i) => n + (d - 1) * (strides[i] ?? 0), 1);
  const values = valuesFor(decl.dtype, Math.max(room, from.length));
  values.set(Array.from(from, roundingTo(decl.dtype)));
  return { values, offset: 0, strides };
}

/** Carry out a kernel on tensors as they lie in memory; those that are not given begin as zeros. Gives all of them. */
export function runKernel(
  kernel: Kernel,
  profile: Profile,
  sizes: Sizes,
  inputs: Inputs,
): Readonly<Record<string, Values>> {
  const tensors = new Map(
    kernel.tensors.filter((it) => it.role !== "shared").map(({ name }) => [name, bind(kernel, name, sizes, inputs[name])]), // prettier-ignore
  );
  executable(kernel, profile)({ sizes: new Map(Object.entries(sizes)), tensors });
  return Object.fromEntries([...tensors].map(([name, { values }]) => [name, values]));
}

/** The faults that the verifier finds at some sizes, in words. */
export const faultsOf = (
  kernel: Kernel,
  profile: Profile,
  trials: readonly Sizes[],
  reader?: Trial["reader"],
): readonly string[] =>
  verifyKernel(
    kernel,
    profile,
    trials.map((it) => ({ sizes: new Map(Object.entries(it)), ...(reader && { reader }) })),
  ).map((it) => `${it.code}: ${it.message}`);

/** What the interpreter's kernel of an operator gives. */
export function reference<K extends OpName>(
  op: K,
  operands: readonly Tensor[],
  attrs: OpAttrs<K>,
  ...shapes: readonly (readonly number[])[]
): readonly Tensor[] {
  return kernels[op](operands, {
    attrs,
    shapes,
    dtypes: shapes.map(() => "f32"),
    bind: () => 0,
    weight: () => {
      throw new Error("no weights");
    },
  });
}

/** Numbers about zero, most of them below 2. */
export function randomFloats(seed: string, n: number, scale = 1): Float32Array<ArrayBuffer> {
  const next = randomSource(seed);
  return Float32Array.from({ length: n }, () => (next() + next() + next() - 1.5) * 2 * scale);
}

/** The greatest difference, relative to the largest magnitude of what is expected. */
export function farthest(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [far, most] = [0, 1e-30];
  for (let i = 0; i < expected.length; i++) {
    far = Math.max(far, Math.abs((found[i] ?? NaN) - (expected[i] ?? 0)));
    most = Math.max(most, Math.abs(expected[i] ?? 0));
  }
  return Number.isNaN(far) ? Infinity : far / most;
}

/** The list of blocks of a height, as products of experts take it. */
export function blockInputs(offsets: readonly number[], height: number): Inputs {
  const rows = offsets.at(-1) ?? 0;
  const blocks = rowBlocks(offsets, height);
  const most = offsets.length - 1 + Math.floor(rows / height);
  const listed = (of: readonly number[]): readonly number[] => [...of, ...Array<number>(most - of.length).fill(-1)]; // prettier-ignore
  const [owners, begins] = [blocks.map((it) => it.expert), blocks.map((it) => it.begin)];
  return { blocks: [...listed(owners), ...listed(begins)], blockCount: [blocks.length] };
}
