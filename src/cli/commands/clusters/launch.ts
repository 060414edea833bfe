/** `moec launch MODEL --cluster C -o launch.sh`: the script that serves a model with vLLM on Ray. */
import { resolve } from "node:path";
import { parseMesh, type Mesh } from "../../../cluster/mesh.ts";
import { clusterFrom } from "../../../driver/cluster.ts";
import { contextOf } from "../../../driver/context.ts";
import { openModel } from "../../../driver/model.ts";
import { usualMesh, vllmLaunchScript } from "../../../export/vllm-launch.ts";
import { wholeNumber, type CommandSpec } from "../../command.ts";
import { writeText } from "../../../tensor/sink.ts";

type Options = {
  readonly cluster: string;
  readonly output: string | undefined;
  readonly parallel: Mesh | undefined;
  readonly expertMap: string | undefined;
  readonly quantized: boolean;
  readonly sequences: number;
  readonly context: number | undefined;
};

/** The longest sequence, of a model that knows more. */
const usualContext = 16384;

export const launch: CommandSpec<Options> = {
  name: "launch",
  summary: "write the script that serves a model with vLLM on Ray",
  args: [["<model>", "the Hugging Face folder to serve, by a path that every node sees"]],
  options: {
    cluster: {
      flags: "--cluster <name>",
      help: "equal nodes of Ascend devices: a name of `moec clusters`, a form such as '2x8 ascend-910b3', or a file (.json)",
      required: true,
    },
    output: { flags: "-o, --output <file>", help: "the script (default: standard output)" },
    parallel: {
      flags: "--parallel <mesh>",
      help: "tp tensor ranks, dp data-parallel groups, which share the experts, pp stages (default: tp a node, dp the nodes)",
      parse: parseMesh,
    },
    expertMap: {
      flags: "--expert-map <file>",
      help: "a file of moec place --format vllm-ascend, by a path that every node sees",
    },
    quantized: { flags: "--quantized", help: "the model is quantized in vllm-ascend's own form" },
    sequences: {
      flags: "--sequences <n>",
      help: "sequences at once in each data-parallel group; the communication buffer is made for them",
      default: 16,
      parse: wholeNumber(1, 65536),
    },
    context: {
      flags: "-c, --context <positions>",
      help: "the longest sequence (default: 16384, or the model's own limit)",
      parse: wholeNumber(1),
    },
  },
  examples: ["moec launch fixtures/moe-6m --cluster '2x8 ascend-910b3' -o build/launch.sh"],
  run: ([path = ""], options, cx) => {
    const { mixture, hidden, maxPositions } = openModel(path).config;
    const cluster = clusterFrom(options.cluster);
    const script = vllmLaunchScript(cluster, {
      model: resolve(path),
      ...(mixture && {
        experts: { count: mixture.experts, topK: mixture.routing.topK, width: hidden },
      }),
      mesh: options.parallel ?? usualMesh(cluster),
      sequences: options.sequences,
      context: contextOf({ asked: options.context, usual: usualContext, most: maxPositions }),
      ...(options.expertMap !== undefined && { expertMap: resolve(options.expertMap) }),
      quantized: options.quantized,
    });
    if (options.output !== undefined) {
      writeText(options.output, script, 0o777);
      cx.log.wrote(options.output);
    }
    if (cx.json) cx.stdout.write(`${JSON.stringify({ output: options.output ?? null, script })}\n`);
    else if (options.output === undefined) cx.stdout.write(script);
    return Promise.resolve(0);
  },
};
