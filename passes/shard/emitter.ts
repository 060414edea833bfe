import { makeNode } from "../../src/ir/builder.ts";
import type { Func, Node, Value } from "../../src/ir/graph.ts";
import { boxKey } from "./box.ts";
import type { Cut } from "./cut.ts";

/** Where the nodes of a rank's function are put, in the order in which they are made. */
export function emitter(
  func: Func,
): Pick<Cut, "emit" | "emitAll" | "once"> & { readonly body: readonly Node[] } {
  const body: Node[] = [];
  const done = new Map<string, readonly Value[]>();
  const numbers = new Map<Node, number>(func.body.map((node, i) => [node, i]));
  const emitAll: Cut["emitAll"] = (op, operands, attrs, origin) => {
    const node = makeNode(op, operands, attrs, origin);
    body.push(node);
    return node.results;
  };
  return {
    body,
    emitAll,
    emit: (op, operands, attrs, origin) => {
      const [first] = emitAll(op, operands, attrs, origin);
      if (!first) throw new Error(`${op} has no result`);
      return first;
    },
    once: (kind, node, box, make) => {
      const key = `${kind} ${numbers.get(node)} ${boxKey(box)}`;
      const known = done.get(key);
      if (known) return known;
      const made = make();
      const values = "type" in made ? [made] : made;
      done.set(key, values);
      return values;
    },
  };
}
