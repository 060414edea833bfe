import { expect, test } from "vitest";
import { parseModule } from "../../src/ir/parser.ts";
import { printModule } from "../../src/ir/printer.ts";
import { phase, type Pass } from "../../src/pass/pass.ts";
import { any, node, op } from "../../src/pass/pattern.ts";
import { rule, rulePass } from "../../src/pass/rewrite.ts";
import { runPasses } from "../../src/pass/runner.ts";
import { pipeline } from "../../passes/index.ts";

const text = `func @main(%x: f32[S,4]) {
  %0 = neg(%x) : f32[S,4] from "a"
  %1 = neg(%0) : f32[S,4] from "b"
  %2 = exp(%1) : f32[S,4] from "c"
  return y=%2
}
`;
const module = parseModule(text);

const doubleNegation = rulePass("double-negation", "neg(neg(x)) ⟶ x", [
  rule({
    name: "neg-neg",
    doc: "neg(neg(x)) ⟶ x",
    match: op("neg", op("neg", any("x"))),
    rewrite: ({ x }) => x,
  }),
]);
const phases = [phase("first", doubleNegation)];

test("a rule fires, is counted, and nodes that did not change stay the same objects", () => {
  const seen: [string, number | undefined][] = [];
  const after = runPasses(module, phases, {
    onAfter: (pass, _, counts) => seen.push([pass.name, counts.get("neg-neg")]),
  });
  expect(printModule(after)).toContain("%0 = exp(%x)");
  expect(seen).toEqual([["double-negation", 1]]);
  expect(runPasses(after, phases)).toBe(after);
});

test("passes and rules are disabled by name or glob", () => {
  for (const disable of ["neg-neg", "double-*", "*"])
    expect(runPasses(module, phases, { disable: [disable] })).toBe(module);
});

test("unknown names are refused with a near one", () => {
  expect(() => runPasses(module, pipeline, { disable: ["fuse-swigli"] })).toThrow(/did you mean fuse-swiglu/);
  expect(() => runPasses(module, pipeline, { disable: ["zzz-*"] })).toThrow(/pass\/unknown/);
  expect(() => runPasses(module, pipeline, { stopAfter: "improt" })).toThrow(/did you mean import/);
});

test("stops behind a pass or a phase", () => {
  const ran = (stopAfter: string) => {
    const names: string[] = [];
    runPasses(module, pipeline, { stopAfter, onAfter: (pass) => names.push(pass.name) });
    return names;
  };
  expect(ran("fold-constants")).toEqual(["group-experts", "canonicalize", "fold-constants"]);
  expect(ran("import").at(-1)).toBe("remove-dead");
});

test("a pass that breaks the module is named", () => {
  const broken: Pass = {
    name: "lose-first-node",
    summary: "wrong on purpose",
    scope: "all",
    tolerance: 0,
    rules: [],
    run: (func) => ({ func: { ...func, body: func.body.slice(1) }, counts: new Map() }),
  };
  expect(() => runPasses(module, [phase("bad", broken)])).toThrow(
    /pass lose-first-node left a malformed module/,
  );
});

test("rules that undo each other are named", () => {
  const pingPong = rulePass("ping-pong", "never ends", [
    rule({
      name: "ping",
      doc: "exp ⟶ sqrt",
      match: op("exp", any("x")),
      rewrite: ({ x }, site) => site.make("sqrt", [x], {}),
    }),
    rule({
      name: "pong",
      doc: "sqrt ⟶ neg ⟶ exp",
      match: op("sqrt", any("x")),
      rewrite: ({ x }, site) => site.make("exp", [x], {}),
    }),
  ]);
  expect(() => pingPong.run(module.funcs[0]!)).toThrow(/do not come to an end: (ping|pong)/);
});

test("a result of another type is refused", () => {
  const wrong = rulePass("wrong-type", "wrong on purpose", [
    rule({
      name: "sum-it",
      doc: "exp(x) ⟶ reduceSum(x)",
      match: op("exp", any("x")),
      rewrite: ({ x }, site) => site.make("reduceSum", [x], { axis: 1 }),
    }),
  ]);
  expect(() => wrong.run(module.funcs[0]!)).toThrow(/f32\[S,4\] replaced by f32\[S,1\]/);
});

test("new nodes carry the origins of those they stand for", () => {
  const merge = rulePass("merge", "neg(neg(x)) ⟶ sqrt(x)", [
    rule({
      name: "to-sqrt",
      doc: "neg(neg(x)) ⟶ sqrt(x)",
      match: op("neg", node("inner", op("neg", any("x")))),
      rewrite: ({ x }, site) => site.make("sqrt", [x], {}),
    }),
  ]);
  expect(printModule(runPasses(module, [phase("p", merge)]))).toContain('sqrt(%x) : f32[S,4] from "b", "a"');
});
