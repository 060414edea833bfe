import { share } from "../../src/cluster/mesh.ts";
import { definitions, isOp, type Func, type Node, type Result, type Value } from "../../src/ir/graph.ts";
import { fail } from "../../src/support/diagnostics.ts";

/** A run of layers that one rank of a pipeline has. */
export type Stage = {
  /** The hidden states that come from the stage before, and those that go to the one behind. */
  readonly incoming: Value | undefined;
  readonly outgoing: Value | undefined;
  readonly nodes: ReadonlySet<Node>;
  /** The results of the function that this stage gives. */
  readonly results: readonly Result[];
  /** Values of which the logits are made by nothing but reshaping. */
  readonly logits: ReadonlySet<Value>;
};

/** The nodes that `results` are made of, up to values that are given. */
function nodesBehind(
  made: ReadonlyMap<Value, Node>,
  results: readonly Value[],
  given: ReadonlySet<Value>,
): ReadonlySet<Node> {
  const found = new Set<Node>();
  const queue = results.filter((v) => !given.has(v));
  for (let value = queue.pop(); value; value = queue.pop()) {
    const node = made.get(value);
    if (!node || found.has(node)) continue;
    found.add(node);
    // The norm of a given sum is made from the sum.
    const isNormOfGiven = isOp(node, "addRmsNorm") && node.results.some((v) => given.has(v));
    queue.push(...(isNormOfGiven ? node.operands.slice(2) : node.operands.filter((v) => !given.has(v))));
  }
  return found;
}

const isAttention = (node: Node): boolean => isOp(node, "attention") || isOp(node, "latentAttention");

/** The sum of hidden states that an attention and all behind it is made of: the last one before it. */
function sumBefore(func: Func, made: ReadonlyMap<Value, Node>, attention: Node): Value | undefined {
  const behind = nodesBehind(made, attention.operands, new Set());
  const [logits] = func.results.filter((r) => r.name === "logits");
  const width = func.body.find((node) => isOp(node, "gather"))?.results[0]?.type.dims;
  const sums = func.body.filter(
    (node) => behind.has(node) && (isOp(node, "addRmsNorm") || isOp(node, "add")),
  );
  return sums
    .map((node) => node.results[0])
    .findLast((v) => logits && v && String(v.type.dims) === String(width));
}

function logitsOf(func: Func, made: ReadonlyMap<Value, Node>): ReadonlySet<Value> {
  const found = new Set<Value>();
  for (let value = func.results.find((r) => r.name === "logits")?.value; value;) {
    found.add(value);
    const node = made.get(value);
    value = isOp(node, "reshape") ? node.operands[0] : undefined;
  }
  return found;
}

/** Cut a function into stages of as many layers each as come out even. Throws `cluster/stages` where it has too few, or no place to cut. */
export function stagesOf(func: Func, count: number): readonly Stage[] {
  const made = definitions(func);
  const attentions = func.body.filter(isAttention);
  const where = { kind: "flag", flag: "--parallel" } as const;
  if (count > 1 && attentions.length < count) fail("cluster/stages", where, count, attentions.length);
  const first = (stage: number): number => share(attentions.length, count, stage)[0];
  const cuts = Array.from({ length: count + 1 }, (_, stage) => {
    const attention = attentions[first(stage)];
    return stage === 0 || !attention ? undefined : sumBefore(func, made, attention);
  });
  /** The caches that the attentions of the stages up to one read, those of earlier stages among them. */
  const caches = cuts.map((_, stage): ReadonlySet<Value> => {
    const read = stage === 0 ? [] : attentions.slice(0, stage < count ? first(stage) : undefined);
    const nodes = nodesBehind(
      made,
      read.flatMap((node) => node.operands),
      new Set(),
    );
    return new Set([...nodes].flatMap((n) => (isOp(n, "cacheAppend") ? n.results : [])));
  });
  const logits = logitsOf(func, made);
  const stages = Array.from({ length: count }, (_, stage): Stage => {
    const [incoming, outgoing] = [cuts[stage], stage + 1 < count ? cuts[stage + 1] : undefined];
    const [before, through] = [caches[stage], caches[stage + 1]];
    const results = func.results.filter(({ value }) =>
      isOp(made.get(value), "cacheAppend") ? through?.has(value) && !before?.has(value) : stage === count - 1,
    );
    const ends = [...results.map((r) => r.value), ...(outgoing ? [outgoing] : [])];
    return {
      incoming,
      outgoing,
      nodes: nodesBehind(made, ends, new Set(incoming ? [incoming] : [])),
      results,
      logits,
    };
  });
  // Nothing but the sums may go from stage to stage.
  const isClean = stages.every(({ nodes }, stage) =>
    attentions.every(
      (it, layer) =>
        !nodes.has(it) || (layer >= first(stage) && (stage + 1 === count || layer < first(stage + 1))),
    ),
  );
  return isClean ? stages : fail("cluster/stages", where, count, attentions.length);
}
