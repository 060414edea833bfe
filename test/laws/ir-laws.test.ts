/** Laws of the IR: text and graph say the same, soundness is judged alike, and nothing breaks the parser. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { interpret } from "../../src/interp/interpret.ts";
import { makeNode } from "../../src/ir/builder.ts";
import type { Func, Node, Value } from "../../src/ir/graph.ts";
import { opNames, type OpName } from "../../src/ir/ops/index.ts";
import { parseModule } from "../../src/ir/parser.ts";
import { printModule } from "../../src/ir/printer.ts";
import { bindDims } from "../../src/ir/dim.ts";
import { verify } from "../../src/ir/verifier.ts";
import { CompileError } from "../../src/support/diagnostics.ts";
import { bindings, randomInputs, randomWeight } from "../support/numeric.ts";
import { exampleFuncs } from "../support/op-examples.ts";

/** Functions made of examples: their nodes in random order of choice, reading each other's values where types agree. */
const arbitraryFunc: fc.Arbitrary<Func> = fc
  .array(fc.tuple(fc.constantFrom(...exampleFuncs), fc.nat(1000)), { minLength: 1, maxLength: 12 })
  .map((choices) => {
    const params: Func["params"][number][] = [];
    const body: Node[] = [];
    const made: Value[] = [];
    for (const [{ op, func }, pick] of choices) {
      const operands = func.params.map((param) => {
        const fitting = made.filter((v) => JSON.stringify(v.type) === JSON.stringify(param.type));
        const reused = fitting[pick % (fitting.length + 1)];
        if (reused) return reused;
        const fresh = { ...param, name: `p${params.length}` };
        params.push(fresh);
        return fresh;
      });
      const node = makeNode(op, operands, func.body[0]?.attrs as never, [`n${body.length}`]);
      body.push(node);
      made.push(...node.results);
    }
    return { name: "main", params, body, results: made.map((value, i) => ({ name: `r${i}`, value })) };
  });

test("what is printed parses back to the same", () => {
  fc.assert(
    fc.property(arbitraryFunc, (func) => {
      const module = { funcs: [func] };
      const text = printModule(module);
      const parsed = parseModule(text, "law.mir");
      expect(printModule(parsed)).toBe(text);
      expect(verify(parsed)).toEqual([]);
      expect(verify(module)).toEqual([]);
    }),
  );
});

test("a text with anything changed parses or is diagnosed at a line, and never worse", () => {
  const change = fc.record({
    at: fc.nat(),
    length: fc.nat(12),
    put: fc.oneof(fc.string(), fc.constantFrom("%0", "(", "}", "f32[", "inf", "=", '"')),
  });
  fc.assert(
    fc.property(arbitraryFunc, change, (func, { at, length, put }) => {
      const text = printModule({ funcs: [func] });
      const from = at % text.length;
      const changed = text.slice(0, from) + put + text.slice(from + length);
      try {
        expect(verify(parseModule(changed, "law.mir"))).toEqual([]);
      } catch (error) {
        if (!(error instanceof CompileError)) throw error;
        for (const { code, where } of error.diagnostics) {
          expect(code).toMatch(/^ir\//);
          expect(where?.kind).toBe("text");
        }
      }
    }),
    { numRuns: 300 },
  );
});

describe("the verifier", () => {
  const sound = exampleFuncs.find((it) => it.op === "addRmsNorm")?.func as Func;
  const [node] = sound.body as [Node];
  const [x, residual, gain] = node.operands as [Value, Value, Value];
  const withNode = (changed: Node): Func => ({ ...sound, body: [changed] });
  test.each<[string, Func, string]>([
    [
      "a value that nothing defines",
      withNode({ ...node, operands: [{ type: x.type }, residual, gain] }),
      "ir/undefined-value",
    ],
    ["a value defined twice", { ...sound, body: [node, node] }, "ir/redefined-value"],
    [
      "a result of another type",
      withNode({ ...node, results: node.results.map(() => ({ type: gain.type })) }),
      "ir/type",
    ],
    ["operands that do not fit", withNode({ ...node, operands: [x, residual, x] }), "ir/type"],
    ["an attribute left out", withNode({ ...node, attrs: {} }), "ir/attribute"],
    ["an attribute of another kind", withNode({ ...node, attrs: { eps: "small" } }), "ir/attribute"],
  ])("finds %s", (_, func, code) => {
    expect(verify({ funcs: [func] }).map((d) => d.code)).toContain(code);
  });
  test("finds two functions of one name", () => {
    expect(verify({ funcs: [sound, sound] }).map((d) => d.code)).toEqual(["ir/redefined-value"]);
  });
});

/** Operators that have no number for some operands. */
const partial: ReadonlySet<OpName> = new Set<OpName>(["sqrt", "rsqrt", "log", "pow", "mod", "div"]);

describe("every operator", () => {
  test("has an example", () => {
    expect(new Set(exampleFuncs.map((it) => it.op))).toEqual(new Set(opNames));
  });
  const alone = exampleFuncs.filter(({ op }) => op !== "send" && op !== "recv");
  test.each(alone)("$op: the interpreter's results have the inferred shapes", ({ op, func }) => {
    const results = interpret(func, randomInputs(func), randomWeight, { dims: bindings });
    for (const { name, value } of func.results) {
      const { shape = [] } = results.get(name) ?? {};
      const told = Object.fromEntries(value.type.dims.map((d, i) => [d, shape[i] ?? 0]));
      expect(shape).toEqual(bindDims(value.type.dims, { ...told, ...bindings }));
      if (!partial.has(op)) expect(results.get(name)?.data.some(Number.isNaN)).toBe(false);
    }
  });
});
