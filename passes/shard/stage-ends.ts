import type { Node, NodeOf, Value } from "../../src/ir/graph.ts";
import { whole } from "./box.ts";
import type { Cut } from "./cut.ts";

/** What the stage before sends. */
export function received(cut: Cut, node: Node, value: Value): Value {
  const { before, self } = cut.station;
  const make = () => cut.emit("recv", [], { group: [before ?? 0, self], ...value.type }, node.origin);
  return cut.once("recv", node, whole, make)[0] ?? value;
}

/**
 * Where stages meet, a sum and its norm stand on both sides: one adds and sends, the other takes the norm. Undefined for those that
 * stand within a stage.
 */
export function normAtEnd(cut: Cut, node: NodeOf<"addRmsNorm">, value: Value): Value | undefined {
  const [x, residual, gain] = node.operands;
  const [sum] = node.results;
  const { incoming, outgoing } = cut.station.stage;
  if (sum && sum === incoming)
    return cut.once("norm", node, whole, () =>
      cut.emit("rmsNorm", [received(cut, node, sum), cut.piece(gain, whole)], node.attrs, node.origin),
    )[0];
  if (value !== outgoing) return undefined;
  return cut.once("sum", node, whole, () =>
    cut.emit("add", [cut.piece(x, whole), cut.piece(residual, whole)], {}, node.origin),
  )[0];
}

/** The hidden states, sent to the stage behind; undefined in the last one. */
export function sent(cut: Cut): Value | undefined {
  const { behind, self, stage } = cut.station;
  if (behind === undefined || !stage.outgoing) return undefined;
  return cut.emit("send", [cut.piece(stage.outgoing, whole)], { group: [self, behind] }, []);
}
