/** Faults of buffers and of the boxes that copies move: too few copies, too large, not where a space can be addressed, of a wrong dtype. */
import { binary, num, type Expr } from "../../../../src/machine/schedule/expr.ts";
import type { BufferStmt, CopyStmt, Kernel, Region, Stmt } from "../../../../src/machine/schedule/kernel.ts";
import { regionsOf, statements } from "../../../../src/machine/schedule/kernel.ts";
import { usableBytes } from "../../../../src/machine/rates.ts";
import { bufferBytes } from "../../../../src/machine/verify/capacity.ts";
import type { Profile } from "../../../../src/machine/profile.ts";
import { dtypes } from "../../../../src/tensor/dtype.ts";
import type { Code } from "../../../../src/support/diagnostics.ts";
import { change, type Fault } from "./fault.ts";

const buffersOf = (kernel: Kernel): ReadonlyMap<string, BufferStmt> =>
  new Map(
    kernel.parts
      .flatMap((it) => statements(it.body))
      .flatMap((it) => (it.kind === "buffer" ? [[it.name, it] as const] : [])),
  );

const rebuffered = (
  name: string,
  by: (it: BufferStmt, kernel: Kernel, profile: Profile) => BufferStmt | undefined,
  codes: readonly Code[],
): Fault => ({
  name,
  put: (kernel, pick, profile) =>
    change(kernel, pick, (it) => {
      const made = it.kind === "buffer" ? by(it, kernel, profile) : undefined;
      return made && [made];
    }),
  codes,
});

/** Rows so many more that a space is just too small. */
function tooManyRows(it: BufferStmt, kernel: Kernel, profile: Profile): BufferStmt | undefined {
  const space = profile.spaces.find((s) => s.name === it.space);
  const part = kernel.parts.find((p) => statements(p.body).includes(it));
  if (!space || !part) return undefined;
  const own = statements(part.body).filter((b) => b.kind === "buffer" && b.space === it.space);
  const taken = own.reduce((n, b) => n + (b.kind === "buffer" ? b.copies * bufferBytes(b, space) : 0), 0);
  const free = usableBytes(space) - taken + space.align.value * it.copies; // each copy may have had room to its next unit
  const row = (it.cols * dtypes[it.dtype].bits) / 8;
  return {
    ...it,
    rows: it.rows + Math.ceil((free + 1) / row / it.copies) + (space.fractal?.rows.value ?? 0),
  };
}

export const copyFaults: readonly Fault[] = [
  rebuffered("a buffer one copy short", (it) => (it.copies > 1 ? { ...it, copies: it.copies - 1 } : undefined), ["schedule/race", "schedule/copies"]), // prettier-ignore
  rebuffered("a buffer of one copy", (it) => (it.copies > 1 ? { ...it, copies: 1 } : undefined), ["schedule/race", "schedule/copies"]), // prettier-ignore
];

export const sizeFaults: readonly Fault[] = [
  rebuffered("a tile of rows just too many", tooManyRows, ["schedule/capacity"]),
  rebuffered("a tile far too large", (it) => ({ ...it, cols: it.cols * 2 ** 20 }), ["schedule/capacity"]),
];

/** A copy with one of its ends changed, that in a buffer where there is one. */
const moved = (
  name: string,
  by: (region: Region, buffer: BufferStmt, profile: Profile) => Region | undefined,
  codes: readonly Code[],
): Fault => ({
  name,
  put: (kernel, pick, profile) => {
    const buffers = buffersOf(kernel);
    const end = (it: CopyStmt): "from" | "to" => (buffers.has(it.to.of) ? "to" : "from");
    return change(kernel, pick, (it): readonly Stmt[] | undefined => {
      if (it.kind !== "copy") return undefined;
      const region = it[end(it)];
      const buffer = buffers.get(region.of);
      const made = buffer && by(region, buffer, profile);
      return made && [{ ...it, [end(it)]: made }];
    });
  },
  codes,
});

const plus = (of: readonly Expr[], axis: number): readonly Expr[] =>
  of.map((it, i) => (i === axis ? binary("+", it, num(1)) : it));

/** A buffer in whose rows others' work begins, with rows a little longer. */
function unevenRows(it: BufferStmt, kernel: Kernel, { spaces }: Profile): BufferStmt | undefined {
  const space = spaces.find((s) => s.name === it.space);
  const tensors = new Set(kernel.tensors.map((t) => t.name));
  const isCut = kernel.parts
    .flatMap((p) => statements(p.body))
    .some(
      (stmt) =>
        stmt.kind === "copy" &&
        regionsOf(stmt).some(({ of, size }) => of === it.name && isMany(size[0])) &&
        regionsOf(stmt).some(({ of }) => tensors.has(of)),
    );
  if (!space || (space.fractal && !space.layouts.includes("nd")) || it.cols === 1 || it.rows === 1 || !isCut)
    return undefined;
  return { ...it, cols: it.cols + 1 };
}
const isMany = (rows: Expr | undefined): boolean =>
  rows !== undefined && (rows.kind !== "number" || rows.value > 1);

export const alignmentFaults: readonly Fault[] = [
  moved("a copy that begins a column late", (it) => ({ ...it, at: plus(it.at, 1) }), ["schedule/alignment", "schedule/bounds"]), // prettier-ignore
  moved("a copy a column too long", (it) => ({ ...it, size: plus(it.size, 1) }), ["schedule/shape", "schedule/bounds"]), // prettier-ignore
  moved("a copy a row too long", (it) => ({ ...it, size: plus(it.size, 0) }), ["schedule/shape", "schedule/bounds"]), // prettier-ignore
  rebuffered("rows that are not apart evenly", unevenRows, ["schedule/alignment", "schedule/shape", "schedule/bounds"]), // prettier-ignore
];

/** Buffers that statements of a kind work on. */
const usedBy =
  (kind: Stmt["kind"]) =>
  (it: BufferStmt, kernel: Kernel): boolean =>
    kernel.parts
      .flatMap((p) => statements(p.body))
      .some((stmt) => stmt.kind === kind && regionsOf(stmt).some(({ of }) => of === it.name));

const retyped = (name: string, kind: Stmt["kind"], to: (it: BufferStmt) => BufferStmt["dtype"]): Fault =>
  rebuffered(name, (it, kernel) => (usedBy(kind)(it, kernel) ? { ...it, dtype: to(it) } : undefined), ["schedule/illegal"]); // prettier-ignore

/** A dtype of the same width that is something else. */
const lookalike = ({ dtype }: BufferStmt): BufferStmt["dtype"] => {
  const bits = dtypes[dtype].bits;
  if (bits === 32) return dtype === "f32" ? "i32" : "f32";
  if (bits === 16) return dtype === "i16" ? "u16" : "i16";
  return dtype === "u8" ? "i8" : "u8";
};

export const dtypeFaults: readonly Fault[] = [
  ...(["copy", "matmul", "vector"] as const).flatMap((kind) => [
    retyped(`a ${kind} of a dtype that no engine takes`, kind, ({ dtype }) =>
      dtype === "f64" ? "u16" : "f64",
    ),
    retyped(`a ${kind} of another dtype as wide`, kind, lookalike),
  ]),
  {
    name: "a tensor of another dtype",
    put: (kernel, pick) => {
      const at = pick(kernel.tensors.length);
      return {
        ...kernel,
        tensors: kernel.tensors.map((it, i) =>
          i === at ? { ...it, dtype: it.dtype === "f64" ? "u16" : "f64" } : it,
        ),
      };
    },
    codes: ["schedule/illegal"],
  },
];
