/**
 * Texts of sharded functions: each case holds a module, a mesh on its first line (`// shard: tp2xep2, 1 redundant`), and what every
 * rank gets. Together they must compute what the module does.
 */
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sharder } from "../../passes/shard/shard.ts";
import { layerInOrder } from "../../src/cluster/expert-map.ts";
import { expertRanks, parseMesh, rankCount } from "../../src/cluster/mesh.ts";
import { interpretRanks } from "../../src/interp/ranks.ts";
import { interpret } from "../../src/interp/interpret.ts";
import type { Tensor } from "../../src/interp/tensor.ts";
import type { Func } from "../../src/ir/graph.ts";
import { parseModule } from "../../src/ir/parser.ts";
import { printModule } from "../../src/ir/printer.ts";
import { verify } from "../../src/ir/verifier.ts";
import { randomInputs, randomWeight } from "../support/numeric.ts";

const folder = join(import.meta.dirname, "../golden-shard");
const update = process.env["MOEC_UPDATE_GOLDEN"] === "1";

/** A rank's inputs: what it keeps of a cache are the groups that it has. */
function inputsOf(func: Func, given: ReadonlyMap<string, Tensor>, rank: number, ranks: number) {
  return new Map(
    func.params.map(({ name, type }): [string, Tensor] => {
      const whole = given.get(name);
      if (!whole) throw new Error(`${name} is no input`);
      const [rows = 0, groups = 1, width = 1] = whole.shape;
      const own = Number(type.dims[1]);
      if (type.dims.length !== 3 || own === groups) return [name, whole];
      const first = Math.floor((rank * groups) / ranks);
      const data = Float32Array.from({ length: rows * own * width }, (_, i) => {
        const [row, rest] = [Math.floor(i / (own * width)), i % (own * width)];
        return whole.data[(row * groups + first) * width + rest] ?? NaN;
      });
      return [name, { ...whole, shape: [rows, own, width], data }];
    }),
  );
}

test.each(readdirSync(folder))("golden-shard/%s", (name) => {
  const text = readFileSync(join(folder, name), "utf8");
  const [, mesh = "", redundant = "0"] = /^\/\/ shard: (\w+)(?:, (\d+) redundant)?\n/.exec(text) ?? [];
  const [input = "", ...expected] = text.split(/^\/\/ ---- rank \d+\n/m);
  const [header = ""] = /^(?:\/\/[^\n]*\n)*/.exec(input) ?? [];
  const module = parseModule(input, name);
  const sizes = parseMesh(mesh);
  const sharding = {
    mesh: sizes,
    held: (_: number, experts: number) => layerInOrder(experts, expertRanks(sizes), Number(redundant)),
  };
  const shard = sharder(module, sharding);
  const ranks = Array.from({ length: rankCount(sharding.mesh) }, (_, r) => shard(r));
  for (const own of ranks) expect(verify(own)).toEqual([]);
  expect(printModule(module), "the input is not changed").toBe(printModule(parseModule(input, name)));
  const again = sharder(module, sharding);
  ranks.forEach((own, r) => expect(printModule(again(r)), "it is deterministic").toBe(printModule(own)));
  module.funcs.forEach((func, i) => {
    const given = randomInputs(func);
    const want = interpret(func, given, randomWeight);
    const runs = ranks.flatMap(({ funcs }, rank) => {
      const own = funcs[i];
      return own ? [{ func: own, inputs: inputsOf(own, given, rank, ranks.length) }] : [];
    });
    for (const logits of interpretRanks(runs, randomWeight).flatMap((it) => it.get("logits") ?? []))
      want.get("logits")?.data.forEach((x, at) => expect(logits.data[at]).toBeCloseTo(x, 4));
  });
  const found = ranks.map((own, rank) => `// ---- rank ${rank}\n${printModule(own)}`).join("");
  if (update) writeFileSync(join(folder, name), `${header}${printModule(module)}${found}`);
  else {
    expect(input.slice(header.length), "the input is canonical").toBe(printModule(module));
    expect(expected.join("")).toBe(ranks.map(printModule).join(""));
  }
});
