import { constantOf, formatExpr, type Expr } from "./expr.ts";
import type { Kernel, Region, Stmt, Tensor } from "./kernel.ts";

type Boxes = ReadonlyMap<string, readonly Expr[]>;

const same = (a: Expr | undefined, b: Expr | undefined): boolean =>
  a !== undefined && b !== undefined && formatExpr(a) === formatExpr(b);

function formatRegion({ of: box, at, size, back = 0 }: Region, boxes: Boxes): string {
  const dims = boxes.get(box) ?? [];
  const of = back > 0 ? `${box}#${back}` : box;
  if (at.every((it, i) => constantOf(it) === 0 && same(size[i], dims[i]))) return of;
  const ranges = at.map((from, i) => {
    const extent = size[i] ?? from;
    return constantOf(extent) === 1 ? formatExpr(from) : `${formatExpr(from)} : ${formatExpr(extent)}`;
  });
  return `${of}[${ranges.join(", ")}]`;
}

const times = (copies: number): string => (copies > 1 ? ` x${copies}` : "");
const number = (value: number): string =>
  value === Infinity ? "inf" : value === -Infinity ? "-inf" : `${value}`;

function formatStmt(stmt: Stmt, boxes: Map<string, readonly Expr[]>, indent: string): string {
  const region = (it: Region): string => formatRegion(it, boxes);
  const block = (head: string, body: readonly Stmt[]): string =>
    `${head} {\n${formatBody(body, new Map(boxes), `${indent}  `)}${indent}}`;
  switch (stmt.kind) {
    case "buffer": {
      const { name, space, dtype, rows, cols, copies } = stmt;
      boxes.set(name, [
        { kind: "number", value: rows },
        { kind: "number", value: cols },
      ]);
      return `buffer ${name}: ${space} ${dtype}[${rows}, ${cols}]${times(copies)}${stmt.isFlagged ? " flagged" : ""}`;
    }
    case "for": {
      const step = constantOf(stmt.step) === 1 ? "" : ` step ${formatExpr(stmt.step)}`;
      return block(
        `for ${stmt.name} in ${formatExpr(stmt.from)} .. ${formatExpr(stmt.to)}${step}`,
        stmt.body,
      );
    }
    case "if":
      return block(`if ${formatExpr(stmt.when)}`, stmt.body);
    case "let":
      return `let ${stmt.name} = ${formatExpr(stmt.value)}`;
    case "read":
      return `read ${stmt.name} = ${region(stmt.from)}`;
    case "copy":
      return `copy ${region(stmt.from)} -> ${region(stmt.to)}${stmt.transpose ? " transposed" : ""}${stmt.add ? " added" : ""}`;
    case "matmul": {
      const first = constantOf(stmt.first) === 0 ? "" : ` first ${formatExpr(stmt.first)}`;
      return `matmul ${region(stmt.a)}, ${region(stmt.b)} -> ${region(stmt.c)}${first}`;
    }
    case "vector": {
      const from = stmt.from.map(region).join(", ");
      const values = stmt.values.map((it) => (typeof it === "number" ? number(it) : formatExpr(it)));
      return `vector ${stmt.op}${from && ` ${from}`} -> ${region(stmt.to)}${values.length > 0 ? ` with ${values.join(", ")}` : ""}`;
    }
    case "set":
    case "wait":
      return `${stmt.kind} ${stmt.from} -> ${stmt.to} #${stmt.id}${times(stmt.copies)}${stmt.back === undefined ? "" : ` back ${stmt.back}`}`;
    case "signal":
      return `signal ${stmt.engine} -> ${stmt.core} #${stmt.id}${times(stmt.copies)}`;
    case "await":
      return `await ${stmt.core} -> ${stmt.engine} #${stmt.id}${times(stmt.copies)}`;
  }
}

const formatBody = (body: readonly Stmt[], boxes: Map<string, readonly Expr[]>, indent: string): string =>
  body.map((it) => `${indent}${formatStmt(it, boxes, indent)}\n`).join("");

function formatTensor({ name, dtype, dims, strides, fractal, role }: Tensor): string {
  const along = (of: readonly Expr[]): string => `[${of.map((it) => formatExpr(it)).join(", ")}]`;
  return `tensor ${name}: ${dtype}${along(dims)}${strides ? ` strides ${along(strides)}` : ""}${fractal ? " nz" : ""} ${role}\n`;
}

/** One statement on one line, for diagnostics; loops and conditions show their head. */
export const printStmt = (stmt: Stmt, kernel: Kernel): string =>
  formatStmt(stmt, new Map(kernel.tensors.map((it) => [it.name, it.dims])), "").split("\n")[0] ?? "";

/** A kernel as text; `parseKernel` reads it back. */
export function printKernel({ name, machine, sizes, tensors, parts }: Kernel): string {
  const boxes: Boxes = new Map(tensors.map((it) => [it.name, it.dims]));
  const body = parts.map((it) => `on ${it.core} {\n${formatBody(it.body, new Map(boxes), "  ")}}\n`);
  return [
    `kernel ${name} for ${machine}\n`,
    ...sizes.map((it) => `size ${it}\n`),
    ...tensors.map(formatTensor),
    ...body,
  ].join("");
}
