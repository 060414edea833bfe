/** `moec inspect MODEL|PLAN`: what is inside, from headers alone. */
import { formatMesh } from "../../cluster/mesh.ts";
import { parameterCount } from "../../driver/compile.ts";
import { isOnnx, openModel, openOnnx } from "../../driver/model.ts";
import { lowerOnnx } from "../../driver/onnx/compile-onnx.ts";
import { structureOf } from "../../driver/structure.ts";
import type { OnnxModel } from "../../frontend/onnx/model.ts";
import { CompileError } from "../../support/diagnostics.ts";
import { summarize } from "../../frontend/onnx/summary.ts";
import { isPlan, readPlan, type Plan as ReadPlan } from "../../plan/read-plan.ts";
import { launchesOf } from "../../runtime/device/device.ts";
import { bytes, counted, number, short, table } from "../../support/text.ts";
import type { CommandSpec } from "../command.ts";

type Options = { readonly tensors: boolean };
type Row = readonly [string, string | number];

/** One line of `--tensors`. */
type Listed = {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: number;
};

/** A checkpoint by its config and its headers. */
function inspectModel(path: string, listTensors: boolean) {
  const model = openModel(path);
  const { config, checkpoint, imported } = model;
  const byDtype: Record<string, { tensors: number; bytes: number }> = {};
  const listing: Listed[] = [];
  for (const [name, { dtype, shape, region }] of checkpoint.tensors) {
    const sum = (byDtype[dtype] ??= { tensors: 0, bytes: 0 });
    sum.tensors++;
    sum.bytes += region.bytes;
    if (listTensors) listing.push({ name, dtype, shape, bytes: region.bytes });
  }
  return {
    kind: "model" as const,
    family: config.family,
    parameters: parameterCount(model),
    layers: config.layers,
    hidden: config.hidden,
    heads: config.heads,
    vocab: config.vocab,
    maxPositions: config.maxPositions,
    attention: config.attention,
    experts: config.mixture ?? null,
    files: checkpoint.files.length,
    tensors: checkpoint.tensors.size,
    bytes: Object.values(byDtype).reduce((n, it) => n + it.bytes, 0),
    dtypes: byDtype,
    predictionLayers: config.predictionLayers,
    predictionTensors: imported.predictionTensors.length,
    ignoredTensors: imported.ignoredTensors.length,
    ...(listTensors && { listing }),
  };
}

/** What a rank runs: the device that it is for, where it is for one, and its programs. */
function runBy(plan: ReadPlan, rank: number) {
  const device = plan.manifest.machine === undefined ? undefined : launchesOf(plan, rank);
  const programs = (device?.programs ?? plan.programs(rank)).map(({ name, maxTokens, steps }) => ({
    name,
    maxTokens,
    steps: steps.length,
    collectives: steps.filter((it) => "collective" in it).length,
  }));
  return { ...(device && { device: device.machine }), programs };
}

/** A plan by its manifest. */
function inspectPlan(dir: string, listTensors: boolean) {
  const plan = readPlan(dir);
  const { manifest } = plan;
  const { model, target, quantization, context, mesh, ranks, weights, files } = manifest;
  return {
    kind: "plan" as const,
    ...model,
    target,
    quantization,
    context,
    weights: weights.length,
    weightBytes: weights.reduce((n, w) => n + w.bytes, 0),
    parallel: formatMesh(mesh),
    ranks: ranks.map(({ memory }, rank) => ({ memory, ...runBy(plan, rank) })),
    files: Object.keys(files),
    ...(listTensors && { listing: weights }),
  };
}

/** An ONNX model by its graph and by what that can be raised to; no large weight is read. */
async function inspectOnnx(file: string) {
  const model = await openOnnx(file);
  return { kind: "onnx" as const, ...summarize(model), raised: await raised(model) };
}

/** The structured operators of a model, or why it cannot be imported. */
async function raised(model: OnnxModel) {
  try {
    const { module, missed } = await lowerOnnx(model, {});
    return { ...structureOf(module), missed };
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    return { unsupported: error.diagnostics.map((d) => d.message) };
  }
}

type Onnx = Awaited<ReturnType<typeof inspectOnnx>>;
type Model = ReturnType<typeof inspectModel>;
type Plan = ReturnType<typeof inspectPlan>;

const modelRows = (it: Model): Row[] => [
  ["family", it.family],
  ["parameters", `${number(it.parameters)} (${short(it.parameters)})`],
  [
    "layers",
    `${it.layers}, width ${number(it.hidden)}, ${counted(it.vocab, "token")}, ${counted(it.maxPositions, "position")}`,
  ],
  ["attention", `${it.attention.kind}, ${counted(it.heads, "head")}`],
  ...(it.experts
    ? [
        [
          "experts",
          `${it.experts.experts} routed, ${it.experts.routing.topK} a token, ${it.experts.routing.scoring}`,
        ] as Row,
      ]
    : []),
  ["files", `${it.files}, ${counted(it.tensors, "tensor")}, ${bytes(it.bytes)}`],
  ...Object.entries(it.dtypes).map(([dtype, sum]): Row => [
    `  ${dtype}`,
    `${counted(sum.tensors, "tensor")}, ${bytes(sum.bytes)}`,
  ]),
  ...(it.predictionTensors > 0
    ? [
        [
          "prediction",
          `${counted(it.predictionTensors, "tensor")} of multi-token prediction, left aside`,
        ] as Row,
      ]
    : []),
];

const planRows = (it: Plan): Row[] => [
  ["family", it.family],
  ["parameters", `${number(it.parameters)} (${short(it.parameters)})`],
  ["target", `${it.target}, quantization ${it.quantization}, ${it.parallel}`],
  ["weights", `${number(it.weights)}, ${bytes(it.weightBytes)}`],
  ...it.ranks.flatMap(({ memory, programs, device }, rank): Row[] => [
    [
      it.ranks.length > 1 ? `rank ${rank}${device ? ` on ${device}` : ""}` : "memory",
      `${Object.entries(memory)
        .map(([what, size]) => `${what} ${bytes(size)}`)
        .join(", ")}, for ${counted(it.context, "position")}`,
    ],
    ...programs.map((p): Row => [
      `  ${p.name}`,
      `${counted(p.steps, "step")}${p.collectives > 0 ? `, ${number(p.collectives)} of them with other ranks` : ""}, up to ${counted(p.maxTokens, "token")} a call`,
    ]),
  ]),
  ["files", it.files.join(", ")],
];

const onnxRows = (it: Onnx): Row[] => [
  ["producer", it.producer],
  [
    "opsets",
    Object.entries(it.opsets)
      .map(([domain, version]) => `${domain} ${version}`)
      .join(", "),
  ],
  ...it.inputs.map(({ name, type }): Row => ["input", `${name}: ${type}`]),
  ...it.outputs.map(({ name, type }): Row => ["output", `${name}: ${type}`]),
  [
    "weights",
    `${counted(it.initializers, "tensor")}, ${short(it.parameters)} parameters, ${bytes(it.bytes)}`,
  ],
  ["nodes", `${number(it.nodes)}, ${counted(it.functions, "function")}`],
  ...it.operators.map(({ op, count }): Row => [`  ${op}`, number(count)]),
  ...raisedRows(it.raised),
];

function raisedRows(it: Onnx["raised"]): Row[] {
  if ("unsupported" in it) return it.unsupported.map((why): Row => ["unsupported", why]);
  const counts = Object.entries(it.operators).map(([op, count]) => `${op} ${count}`);
  return [
    ["raised", counts.sort().join(", ")],
    ...it.routers.map(({ at, experts, topK, scoring, groups, topGroups }): Row => [
      "router",
      `${at}: ${topK} of ${counted(experts, "expert")} by ${scoring}, ${topGroups} of ${counted(groups, "group")}`,
    ]),
    ...it.experts.map(({ at, experts, inner, width }): Row => [
      "experts",
      `${at}: ${experts} of ${inner} x ${width}`,
    ]),
    ...it.missed.map(({ what, at, because }): Row => ["not raised", `${what} at ${at}, for ${because}`]),
  ];
}

export const inspect: CommandSpec<Options> = {
  name: "inspect",
  summary: "say what a model or a plan holds",
  args: [["<path>", "a checkpoint, an ONNX model or a plan"]],
  options: { tensors: { flags: "--tensors", help: "list every tensor" } },
  examples: ["moec inspect fixtures/moe-6m", "moec inspect build/moe-6m --tensors --json"],
  run: async ([path = ""], options, cx) => {
    const found = isOnnx(path)
      ? await inspectOnnx(path)
      : isPlan(path)
        ? inspectPlan(path, options.tensors)
        : inspectModel(path, options.tensors);
    if (cx.json) {
      cx.stdout.write(`${JSON.stringify(found, undefined, 2)}\n`);
      return 0;
    }
    cx.stdout.write(table(rowsOf(found)));
    for (const it of "listing" in found ? (found.listing ?? []) : [])
      cx.stdout.write(
        `${it.name}${"shape" in it ? ` ${it.dtype}[${it.shape.join(",")}]` : ""} ${bytes(it.bytes)}\n`,
      );
    return 0;
  },
};

function rowsOf(found: Onnx | Model | Plan): Row[] {
  switch (found.kind) {
    case "onnx":
      return onnxRows(found);
    case "plan":
      return planRows(found);
    case "model":
      return modelRows(found);
  }
}
