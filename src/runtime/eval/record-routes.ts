import { isOp } from "../../ir/graph.ts";
import { parseModule } from "../../ir/parser.ts";
import type { Plan } from "../../plan/read-plan.ts";
import { fail } from "../../support/diagnostics.ts";
import type { Session } from "../session.ts";

/** What the routers of a plan choose from. */
export type RouterFacts = { readonly experts: number; readonly groups: number };

/** Routed experts of a layer and their groups, as module.mir has them. Throws `route/no-experts` for a plan without. */
export function routersOf(plan: Plan): RouterFacts {
  const file = plan.file("module.mir");
  for (const { body } of parseModule(plan.read("module.mir").toString(), file).funcs)
    for (const node of body)
      if (isOp(node, "router")) {
        const experts = node.operands[0]?.type.dims[1];
        if (typeof experts === "number") return { experts, groups: node.attrs.groups };
      }
  return fail("route/no-experts", { kind: "file", file: plan.dir });
}

/** The experts of every token of some windows: [token, layer of experts, choice]. */
export type RecordedRoutes = {
  readonly shape: readonly [tokens: number, layers: number, k: number];
  readonly experts: Uint16Array;
};

/** Run windows of a text, each on its own, and keep which experts each token takes. `onWindow` hears of each window done. */
export async function recordRoutes(
  session: Session,
  windows: readonly (readonly number[])[],
  onWindow: (done: number) => void,
): Promise<RecordedRoutes> {
  let done = 0;
  const byWindow = await session.spread(windows, async (sequence, ids) => {
    /** By layer, then token. */
    const own: number[][][] = [];
    await sequence.feed(
      ids,
      "prefill",
      () => {},
      (layer, experts) => (own[layer] ??= []).push([...experts]),
    );
    onWindow(++done);
    return own;
  });
  const chosen = (byWindow[0] ?? []).map((_, layer) => byWindow.flatMap((own) => own[layer] ?? []));
  const tokens = chosen[0]?.length ?? 0;
  const k = chosen[0]?.[0]?.length ?? 0;
  const experts = new Uint16Array(tokens * chosen.length * k);
  chosen.forEach((rows, layer) =>
    rows.forEach((row, token) => experts.set(row, (token * chosen.length + layer) * k)),
  );
  return { shape: [tokens, chosen.length, k], experts };
}
