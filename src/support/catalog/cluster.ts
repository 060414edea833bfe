import type { Message } from "../diagnostics.ts";

/** Faults of clusters and of what is placed on them. */
export const clusterCatalog = {
  "cluster/expert-map": (why: string): Message => ({
    exit: "usage",
    message: `the expert map is not understood: ${why}`,
    hint: "make one with: moec place ROUTING --cluster NAME -o FILE",
  }),
  "cluster/indivisible": (what: string, size: number, unit: number, parts: number): Message => ({
    exit: "usage",
    message: `${size} ${what}${unit > 1 ? `, of which ${unit} share a scale or a rotation,` : ""} cannot be shared between ${parts} ranks`,
    hint:
      unit > 1
        ? "choose fewer tensor ranks (tp), or a scheme of smaller groups without rounded activations (--quant)"
        : "choose fewer tensor ranks (tp), and expert ranks (ep) or stages (pp) instead",
  }),
  "cluster/torn-group": (width: number, unit: number): Message => ({
    exit: "usage",
    message: `heads of ${width} columns that share keys would part runs of ${unit} columns that share a scale or a rotation`,
    hint: "choose another number of tensor ranks (tp), or smaller groups (--quant)",
  }),
  "cluster/stages": (stages: number, layers: number): Message => ({
    exit: "usage",
    message: `${layers} layers cannot be cut into ${stages} stages`,
    hint: "choose fewer stages (pp)",
  }),
  "cluster/placement": (what: string, found: number, expected: number): Message => ({
    exit: "usage",
    message: `the placement is for ${found} ${what}, this plan has ${expected}`,
    hint: "make one for this model and this number of ranks that share experts (dp x ep x tp), with moec place",
  }),
  "cluster/graph": (): Message => ({
    exit: "usage",
    message: "a graph cannot be spread over ranks: only decoders have layers, heads and experts to share",
    hint: "if the model gives logits for ids, compile it with --as decoder",
  }),
  "cluster/memory": (
    rank: number,
    needs: string,
    over: string,
    has: string,
    terms: readonly string[],
    ways: readonly string[],
  ): Message => ({
    exit: "capacity",
    message: `rank ${rank} needs ${needs}, ${over} more than the ${has} it has: ${terms.join(", ")}`,
    hint:
      ways.length > 0
        ? `it would fit with ${ways.join(", or ")}`
        : "no one change makes it fit; combine more ranks (--parallel) with --quant int4",
  }),
  "cluster/unknown": (found: string, near: string | undefined, known: readonly string[]): Message => ({
    exit: "usage",
    message: `there is no cluster ${found}`,
    hint:
      near === undefined
        ? `known: ${known.join(", ")}; a form such as 4x8 ascend-910b3; or a file of your own (.json)`
        : `did you mean ${near}?`,
  }),
  "cluster/node-size": (device: string, found: number, most: number): Message => ({
    exit: "usage",
    message: `a node of ${device} has at most ${most} devices, not ${found}`,
    hint: `several nodes are written as 2x${most} ${device}; other nodes go into a file of your own`,
  }),
  "cluster/file": (why: string): Message => ({
    exit: "usage",
    message: `the cluster file is not understood: ${why}`,
    hint: "docs/clusters.md shows one; moec clusters NAME --json prints a known one",
  }),
  "cluster/no-layout": (cluster: string, devices: number): Message => ({
    exit: "usage",
    message: `no layout shares the model between the ${devices} devices of ${cluster}`,
    hint: "heads and experts are shared between powers of two, or three and five of them",
  }),
  "cluster/too-small": (
    cluster: string,
    it: { readonly needs: string; readonly over: string; readonly has: string; readonly layout: string },
    terms: readonly string[],
    ways: readonly string[],
  ): Message => ({
    exit: "capacity",
    message: `the model does not fit ${cluster}: a device needs ${it.needs} at least (${it.layout}), ${it.over} more than the ${it.has} that it may fill: ${terms.join(", ")}`,
    hint:
      ways.length > 0
        ? `it would fit with ${ways.join(", or ")}`
        : "choose a larger cluster and --quant int4",
  }),
  "cluster/shared-stages": (mesh: string, fleets: readonly string[]): Message => ({
    exit: "usage",
    message: `${fleets.join(" and ")} share the layers, as many stages each, and ${mesh} cannot be dealt out so`,
    hint: `choose pp as a multiple of ${fleets.length}, and stages of no more ranks than there are devices of a kind`,
  }),
  "cluster/stages-differ": (): Message => ({
    exit: "usage",
    message:
      "a plan has one mesh for all its stages, and the layout that was chosen has another on each kind of device",
    hint: "see it with --dry-run, or say how the plan is to be shared: --parallel",
  }),
  "cluster/too-slow": (limits: readonly string[], token: string, prompt: string): Message => ({
    exit: "capacity",
    message: `no layout that fits keeps to ${limits.join(" and ")}: the fastest takes ${token} between tokens, ${prompt} until the first`,
    hint: "allow more time, shorten the prompts (--prompt-length), or choose a larger cluster",
  }),
  "cluster/launch": (cluster: string, why: string): Message => ({
    exit: "usage",
    message: `there is no script that launches vLLM on ${cluster}: ${why}`,
    hint: "a script is for equal nodes of one kind of Ascend device; give --parallel a mesh of as many ranks",
  }),
  "cluster/uneven": (least: number, most: number): Message => ({
    exit: "usage",
    message: `devices hold ${least} to ${most} experts, and vllm-ascend takes equal numbers only`,
    hint: "give --redundant-experts such that the devices divide all copies",
  }),
  "cluster/eplb": (why: string): Message => ({
    exit: "usage",
    message: `EPLB cannot place this: ${why}`,
    hint: "choose other --redundant-experts, or --placement search, which takes any number",
  }),
  "cluster/no-room": (experts: number, slots: number): Message => ({
    exit: "usage",
    message: `${slots} slots cannot hold ${experts} experts, each at most once a device`,
    hint: "give fewer --redundant-experts",
  }),
  "route/no-experts": (): Message => ({
    exit: "usage",
    message: "the plan's model has no routed experts",
  }),
  "route/file": (why: string): Message => ({
    exit: "usage",
    message: `the recorded routing is not understood: ${why}`,
    hint: "record it with: moec route PLAN --text FILE -o routing.safetensors",
  }),
  "route/no-text": (found: string, known: readonly string[]): Message => ({
    exit: "usage",
    message: `the recorded routing has no text ${found}`,
    hint: `it has ${known.join(", ")}`,
  }),
} as const;
