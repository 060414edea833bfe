import type { DType } from "../../tensor/dtype.ts";
import type { Expr } from "./expr.ts";
import type { VectorOp } from "./vector-ops.ts";

/**
 * A schedule: what every core of a device does in one kernel launch. It says where each tile lives, when it moves, and which engine
 * works on it. All core groups run the same text; `group` and `groups` tell which one, `core` and `cores` which core of its kind in
 * the group.
 */
export type Kernel = {
  readonly name: string;
  /** The profile it is made for. */
  readonly machine: string;
  /** Sizes that are given at the launch, such as the number of tokens. */
  readonly sizes: readonly string[];
  readonly tensors: readonly Tensor[];
  readonly parts: readonly Part[];
};

/** A tensor in global memory. Elements of `i4` lie two in a byte. */
export type Tensor = {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly Expr[];
  /** In fractals, as weights may be stored for a device; it changes how fast boxes move, not what they hold. */
  readonly fractal: boolean;
  /** Elements from one index to the next of each axis; absent, row-major. */
  readonly strides?: readonly Expr[];
  /** `shared` is scratch of the kernel's own, through which its cores pass tiles. */
  readonly role: "in" | "out" | "inout" | "shared";
};

/** What the cores of one kind do. */
export type Part = { readonly core: string; readonly body: readonly Stmt[] };

/** A box of a buffer or tensor: where it starts and how large it is, an axis each. */
export type Region = {
  readonly of: string;
  readonly at: readonly Expr[];
  readonly size: readonly Expr[];
  /** Of a buffer that takes turns, the copy that was its turn's so many turns before; fewer than its copies. */
  readonly back?: number;
};

/**
 * One tile's room in a space, [rows, cols]. Declared in a loop, it takes turns with `copies - 1` more of its kind: turn t of the loop
 * has copy t mod copies, counted from the start of the kernel.
 */
export type BufferStmt = {
  readonly kind: "buffer";
  readonly name: string;
  readonly space: string;
  readonly dtype: DType;
  readonly rows: number;
  readonly cols: number;
  readonly copies: number;
  /** The text has this buffer's flags itself, and none are put in for it. */
  readonly isFlagged?: boolean;
};

export type ForStmt = {
  readonly kind: "for";
  readonly name: string;
  readonly from: Expr;
  readonly to: Expr;
  readonly step: Expr;
  readonly body: readonly Stmt[];
};

export type IfStmt = { readonly kind: "if"; readonly when: Expr; readonly body: readonly Stmt[] };

export type LetStmt = { readonly kind: "let"; readonly name: string; readonly value: Expr };

/** A whole number read from a tensor, or from a buffer of the vector unit's space, by the scalar unit. */
export type ReadStmt = { readonly kind: "read"; readonly name: string; readonly from: Region };

/** Move a box, over the path between the two spaces; elements are converted to the dtype they meet. */
export type CopyStmt = {
  readonly kind: "copy";
  readonly from: Region;
  readonly to: Region;
  /** Rows become columns on the way. */
  readonly transpose: boolean;
  /** Added to what is there instead of put in its place; only into tensors. */
  readonly add: boolean;
};

/** c[m, n] (+)= sum over k of a[m, k] * b[n, k]. */
export type MatmulStmt = {
  readonly kind: "matmul";
  readonly a: Region;
  readonly b: Region;
  readonly c: Region;
  /** Not 0: c starts from zero. */
  readonly first: Expr;
};

/** Elementwise and rowwise work on boxes of [rows, cols]; operands are those that the operator's table entry names. */
export type VectorStmt = {
  readonly kind: "vector";
  readonly op: VectorOp;
  readonly from: readonly Region[];
  readonly to: Region;
  /** Plain numbers that the operator takes. */
  readonly values: readonly (number | Expr)[];
};

/** A flag between two engines of one core: `set` when all that `from` was given is done, `wait` holds `to` until then. */
export type FlagStmt = {
  readonly kind: "set" | "wait";
  readonly from: string;
  readonly to: string;
  readonly id: number;
  /** The flag takes turns as buffers do: turn t of the loop it stands in has id + t mod copies. */
  readonly copies: number;
  /**
   * The number that was its turn's so many turns before; at most its copies. In no loop it goes by the turn that the loop in which the flag stands has
   * next: before the loop the first, behind it the one after the last.
   */
  readonly back?: number;
};

/** A flag between the cores of a group: `signal` from one engine here to all cores of a kind, `await` holds an engine here until every core of that kind has. */
export type SignalStmt = {
  readonly kind: "signal" | "await";
  readonly engine: string;
  readonly core: string;
  readonly id: number;
  readonly copies: number;
};

export type Stmt =
  | BufferStmt
  | ForStmt
  | IfStmt
  | LetStmt
  | ReadStmt
  | CopyStmt
  | MatmulStmt
  | VectorStmt
  | FlagStmt
  | SignalStmt;

/** The names that every schedule knows. */
export const builtins = ["group", "groups", "core", "cores"] as const;

/** Those of them that tell cores apart. */
export const ownNames: ReadonlySet<string> = new Set(["group", "core"]);

/** In a loop, how many turns of it were taken since the start of the kernel, over all its runs: what buffers and flags take turns by. */
export const turnName = "turn";

/** The statements directly inside a statement. */
export const bodyOf = (stmt: Stmt): readonly Stmt[] =>
  stmt.kind === "for" || stmt.kind === "if" ? stmt.body : [];

/** Every statement below, in the order of the text. */
export const statements = (body: readonly Stmt[]): readonly Stmt[] =>
  body.flatMap((it) => [it, ...statements(bodyOf(it))]);

/** The boxes that a statement itself works on: operands, then the result. */
export function regionsOf(stmt: Stmt): readonly Region[] {
  switch (stmt.kind) {
    case "copy":
      return [stmt.from, stmt.to];
    case "matmul":
      return [stmt.a, stmt.b, stmt.c];
    case "vector":
      return [...stmt.from, stmt.to];
    case "read":
      return [stmt.from];
    default:
      return [];
  }
}
