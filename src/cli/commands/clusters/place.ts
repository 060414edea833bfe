/** `moec place ROUTING --cluster C -o map.json`: which device holds which experts. */
import { availableParallelism } from "node:os";
import { formatExpertMap, formatVllmAscendMap, type ExpertMap } from "../../../cluster/expert-map.ts";
import { nodesOf } from "../../../cluster/topology.ts";
import { policies, usualMessageCost, type Placing, type Policy } from "../../../cluster/placement/place.ts";
import { clusterFrom } from "../../../driver/cluster.ts";
import {
  heardFrom,
  judgePlacement,
  layersOf,
  placeLayers,
  type Judged,
} from "../../../driver/placement/place.ts";
import { searchOnThreads } from "../../../driver/placement/place-threads.ts";
import { readRouting, type Routing } from "../../../driver/placement/routing-file.ts";
import { counted, table } from "../../../support/text.ts";
import { decimal, listed, wholeNumber, type CommandSpec } from "../../command.ts";
import { writeText } from "../../../tensor/sink.ts";

type Options = {
  readonly cluster: string;
  readonly output: string | undefined;
  readonly placement: Policy;
  readonly redundantExperts: number;
  readonly text: readonly string[];
  readonly experts: number | undefined;
  readonly groups: number | undefined;
  readonly messageCost: number;
  readonly fullest: number | undefined;
  readonly seed: number;
  readonly threads: number;
  readonly format: "moec" | "vllm-ascend";
};

/** The chosen placement beside the others, on each text. */
function compared(routing: Routing, placing: Placing, chosen: ExpertMap, options: Options) {
  const layers = layersOf(routing, options.text);
  const others = policies.filter((it) => it !== placing.policy && it !== "search");
  const rows = [
    { policy: placing.policy, placed: chosen.layers },
    ...others.flatMap((policy) => {
      const uneven = policy !== "in-order" && chosen.layers.some((it) => it.some((held) => held.length !== it[0]?.length)); // prettier-ignore
      return uneven ? [] : [{ policy, placed: placeLayers(layers, routing.experts, { ...placing, policy }) }];
    }),
  ];
  const texts = [...routing.texts].map(([name, text]) => [name, heardFrom(text, routing.experts)] as const);
  return rows.map(({ policy, placed }) => ({
    policy,
    texts: Object.fromEntries(
      texts.map(([name, text]): [string, Judged] => [name, judgePlacement(placed, text, placing.nodes)]),
    ),
  }));
}

export const place: CommandSpec<Options> = {
  name: "place",
  summary: "place experts on a cluster by recorded routing",
  args: [["<routing>", "a file made by moec route"]],
  options: {
    cluster: {
      flags: "--cluster <name>",
      help: "the devices: one of `moec clusters`, a form such as '2x8 ascend-910b3', or a file of your own (.json)",
      required: true,
    },
    output: { flags: "-o, --output <file>", help: "the expert map to write" },
    placement: {
      flags: "--placement <policy>",
      help: "search for the least time of a step; or EPLB's policy for these nodes, its global one, or experts in order",
      default: "search",
      choices: policies,
    },
    redundantExperts: {
      flags: "--redundant-experts <n>",
      help: "copies of experts in each layer beyond one of each",
      default: 0,
      parse: wholeNumber(0, 65536),
    },
    text: {
      flags: "--text <names>",
      help: "place by these texts of the file; repeat or separate by commas (default: all)",
      default: [],
      parse: listed,
    },
    experts: {
      flags: "--experts <n>",
      help: "routed experts of a layer, if the file does not say",
      parse: wholeNumber(1, 65536),
    },
    groups: {
      flags: "--groups <n>",
      help: "groups that the router chooses within, if the file does not say",
      parse: wholeNumber(1, 65536),
    },
    messageCost: {
      flags: "--message-cost <n>",
      help: "what a message between nodes costs, in tokens through one expert; 0 to even out loads only",
      default: usualMessageCost,
      parse: decimal(0, 1e6),
    },
    fullest: {
      flags: "--fullest <ratio>",
      help: "how full the fullest device may be over the mean, for fewer messages (default: as EPLB's better answer)",
      parse: decimal(1, 1e6),
    },
    seed: { flags: "--seed <n>", help: "another search", default: 1, parse: wholeNumber(0, 2 ** 31 - 1) },
    threads: {
      flags: "--threads <n>",
      help: "threads that search, a layer each (default: one a core); the map does not depend on them",
      default: availableParallelism(),
      parse: wholeNumber(1, 1024),
    },
    format: {
      flags: "--format <form>",
      help: "moec's own map for compile --placement, or the one that vllm-ascend reads",
      default: "moec",
      choices: ["moec", "vllm-ascend"],
    },
  },
  examples: [
    "moec place build/routing.safetensors --cluster '2x4 ascend-910b3' --redundant-experts 8 -o build/map.json",
    "moec place build/routing.safetensors --cluster '2x4 ascend-910b3' --placement eplb --redundant-experts 8 -o build/map.json --format vllm-ascend",
  ],
  run: async ([file = ""], options, cx) => {
    const routing = readRouting(file, options);
    const nodes = nodesOf(clusterFrom(options.cluster));
    const placing: Placing = {
      policy: options.placement,
      nodes,
      redundant: options.redundantExperts,
      groups: routing.groups,
      messageCost: options.messageCost,
      fullest: options.fullest,
      seed: options.seed,
    };
    const layers = layersOf(routing, options.text);
    const progress = cx.log.progress(`placing ${counted(layers.length, "layer")}`);
    const onLayer = (done: number): void =>
      progress.update(`placed ${done} of ${counted(layers.length, "layer")}`);
    const { policy } = placing;
    const placed =
      policy === "search"
        ? await searchOnThreads(layers, routing.experts, { ...placing, policy }, options.threads, onLayer)
        : placeLayers(layers, routing.experts, placing, onLayer);
    progress.done();
    const map = { experts: routing.experts, ranks: nodes.length, layers: placed };
    const note = `${options.placement} on ${options.cluster}, ${options.redundantExperts} redundant, by ${options.text.join(", ") || "all texts"}`; // prettier-ignore
    const text = options.format === "moec" ? formatExpertMap(map, note) : formatVllmAscendMap(map);
    if (options.output !== undefined) {
      writeText(options.output, text);
      cx.log.wrote(options.output);
    }
    const found = compared(routing, placing, map, options);
    const rows = found.flatMap(({ policy, texts }) =>
      Object.entries(texts).map(([name, it]) => [
        policy,
        name,
        `fullest ${it.fullestOverMean.toFixed(4)} of the mean`,
        `${it.messagesPerToken.toFixed(4)} messages a token`,
      ]),
    );
    cx.stdout.write(cx.json ? `${JSON.stringify({ ...map, policies: found })}\n` : table(rows));
    return 0;
  },
};
