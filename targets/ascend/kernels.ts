/** The matrix kernels that a module needs on Ascend: one for each shape, however many layers share it. */
import { isOp, type Func, type Module, type Node, type Value } from "../../src/ir/graph.ts";
import { bindDim, dimNames, type Bindings } from "../../src/ir/dim.ts";
import type { Profile } from "../../src/machine/profile.ts";
import { kernelName, type MatmulSpec, type Operand, type Output, type Rows } from "./mlir/spec.ts";
import { publishedCut, type Cut, type Uncut } from "./tiles.ts";

/** What a call of each phase takes, for sizes that only a run knows. */
export type Load = {
  /** Tokens of one call of prefill; also what every size stands for that only a run knows, such as the rows that other ranks send. */
  readonly tokens: number;
  /** Positions that are in the cache already. */
  readonly past: number;
};

/** Where a kernel is called. */
export type Use = {
  readonly phase: string;
  /** Rows of one call under the load that was asked for, those of all groups together. */
  readonly rows: number;
  readonly count: number;
  /** The first of the places. */
  readonly of: string;
};

export type KernelUses = { readonly name: string; readonly spec: MatmulSpec; readonly uses: readonly Use[] };

/** A product that there is no kernel for. */
export type LeftOut = {
  readonly phase: string;
  readonly op: string;
  readonly of: string;
  readonly why: string;
};

export type MatrixKernels = { readonly kernels: readonly KernelUses[]; readonly left: readonly LeftOut[] };

/** A product before it has a tile. */
type Product = Uncut & {
  /** Rows of a call, and rows that meet one matrix at once. */
  readonly total: number;
  readonly each: number;
};

type Context = {
  readonly bindings: Bindings;
  /** What floats are on the cube. */
  readonly float: Extract<Operand, "bf16" | "f16">;
  /** Values that are wanted in full: what routers choose by, and results. */
  readonly exact: ReadonlySet<Value>;
};

const dimsOf = (value: Value | undefined): readonly (number | string)[] => value?.type.dims ?? [];

/** Rows of x, all axes but the last taken as one. */
const rowsOf = ({ bindings }: Context, x: Value | undefined): number =>
  dimsOf(x).slice(0, -1).reduce<number>((n, it) => n * bindDim(it, bindings), 1); // prettier-ignore

const outputOf = ({ exact, float }: Context, out: Value | undefined): Output =>
  out && exact.has(out) ? "f32" : float;

/** A matrix [n, k] of its own, or one of `matrices` [matrices, n, k]. */
const matrix = (w: Value | undefined): { readonly n: number; readonly k: number } => {
  const [n = 1, k = 1] = dimsOf(w).slice(-2).map(Number);
  return { n, k };
};

/** Expert layers: rows sorted by expert meet first gate and up, then down. */
function expertProducts(
  cx: Context,
  { operands: [, indices] }: Node,
  matrices: readonly (Value | undefined)[],
  kind: Pick<Product, "input" | "dequantize">,
): readonly Product[] {
  const [tokens = 1, chosen = 1] = dimsOf(indices).map((it) => bindDim(it, cx.bindings));
  return matrices.map((w) => {
    const experts = Number(dimsOf(w)[0]);
    const rows: Rows = { kind: "grouped", matrices: experts };
    const total = tokens * chosen;
    return { ...kind, rows, ...matrix(w), output: cx.float, bias: false, total, each: Math.ceil(total / experts) }; // prettier-ignore
  });
}

/** The products of a node; none for what is no product, a word where the cube cannot take one as it is. */
function productsOf(cx: Context, node: Node): readonly Product[] | string {
  const [x, w] = node.operands;
  const out = node.results[0];
  const float = { input: cx.float, dequantize: false } as const;
  const int8 = { input: "i8", dequantize: true } as const;
  const alone = (bias: Value | undefined) => {
    const total = rowsOf(cx, x);
    return { rows: { kind: "one" }, ...matrix(w), output: outputOf(cx, out), bias: bias !== undefined, total, each: total } as const; // prettier-ignore
  };
  if (isOp(node, "linear")) return [{ ...float, ...alone(node.operands[2]) }];
  if (isOp(node, "integerLinear"))
    return node.attrs.group < matrix(w).k
      ? `${node.attrs.group} columns share a scale, a kernel sums over all of them`
      : [{ ...int8, ...alone(node.operands[3]) }];
  if (isOp(node, "headLinear")) {
    const [tokens = 1, heads = 1] = dimsOf(x).map((it) => bindDim(it, cx.bindings));
    const rows: Rows = { kind: "heads", matrices: heads };
    return [{ ...float, rows, ...matrix(w), output: outputOf(cx, out), bias: false, total: tokens, each: tokens }]; // prettier-ignore
  }
  if (isOp(node, "experts")) return expertProducts(cx, node, node.operands.slice(3), float);
  if (isOp(node, "integerExperts")) {
    const [, , , gateUp, , down] = node.operands;
    const { gateUpGroup, downGroup } = node.attrs;
    return gateUpGroup < matrix(gateUp).k || downGroup < matrix(down).k
      ? `${Math.min(gateUpGroup, downGroup)} columns share a scale, a kernel sums over all of them`
      : expertProducts(cx, node, [gateUp, down], int8);
  }
  return [];
}

/** Values of a function that must not be rounded to 16 bits. */
function exactValues({ body, results }: Func): ReadonlySet<Value> {
  const logits = body.flatMap((it) => (it.op === "router" ? it.operands.slice(0, 1) : []));
  return new Set([...logits, ...results.map((it) => it.value)]);
}

/** The uses of a kernel with one more: layers that call it alike are counted. */
function withUse(uses: readonly Use[], one: Omit<Use, "count">): readonly Use[] {
  const at = uses.findIndex((it) => it.phase === one.phase && it.rows === one.rows);
  const found = uses[at];
  return found ? uses.with(at, { ...found, count: found.count + 1 }) : [...uses, { ...one, count: 1 }];
}

/**
 * Every matrix kernel of a module with its uses, in the order of first use. Floats become what the chip's cube multiplies, weights
 * lie as the checkpoint has them, [out, in]. `cut` chooses the tiles.
 */
export function matrixKernels(
  module: Module,
  profile: Profile,
  { tokens, past }: Load,
  cut: Cut = publishedCut(profile),
): MatrixKernels {
  const kernels = new Map<string, KernelUses>();
  const left: LeftOut[] = [];
  const float = profile.matrix.rates.some((it) => it.a === "bf16") ? "bf16" : "f16";
  for (const func of module.funcs) {
    const values = [...func.params, ...func.body.flatMap((it) => it.results)];
    const named = new Set(values.flatMap((it) => it.type.dims).flatMap(dimNames));
    const bindings = { ...Object.fromEntries([...named].map((it) => [it, tokens])), P: past };
    const cx: Context = { bindings, float, exact: exactValues(func) };
    for (const node of func.body) {
      const [of = ""] = node.origin;
      const products = productsOf(cx, node);
      if (typeof products === "string") {
        left.push({ phase: func.name, op: node.op, of, why: products });
        continue;
      }
      for (const { total, each, ...product } of products) {
        const spec: MatmulSpec = { ...product, weight: "nk", ...cut(product, { total, each }) };
        const name = kernelName(spec);
        const uses = withUse(kernels.get(name)?.uses ?? [], { phase: func.name, rows: total, of });
        kernels.set(name, { name, spec, uses });
      }
    }
  }
  return { kernels: [...kernels.values()], left };
}
