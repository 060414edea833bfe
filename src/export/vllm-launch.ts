/**
 * The script that serves a model with vLLM on Ray on an Ascend cluster, as vllm-ascend's guides have it (docs/source/tutorials/models/
 * DeepSeek-V3.1.md and features/ray.md): tensor ranks and data-parallel groups whose product shares the experts.
 */
import { hcclBuffSize } from "../cluster/hccl.ts";
import { rankCount, type Mesh } from "../cluster/mesh.ts";
import { devicesOf, nodesOf, type Cluster } from "../cluster/topology.ts";
import { fail } from "../support/diagnostics.ts";

/** What is to be served. */
export type Serving = {
  /** The model's folder, the same on every node. */
  readonly model: string;
  /** Absent for dense models. */
  readonly experts?: { readonly count: number; readonly topK: number; readonly width: number };
  /** Tensor ranks, data-parallel groups and stages. vLLM gives each rank that shares experts sequences of its own, so that `ep` counts as `dp`. */
  readonly mesh: Mesh;
  /** Sequences that run at once on each data-parallel group, and the longest of them. */
  readonly sequences: number;
  readonly context: number;
  /** A map for vllm-ascend, the same on every node. */
  readonly expertMap?: string;
  /** Whether the model is a checkpoint that msmodelslim or moec quantized. */
  readonly quantized: boolean;
};

/** Ranks of a node, of equal nodes of one kind of Ascend device. Throws `cluster/launch` for any other cluster. */
function nodeOf(cluster: Cluster): { readonly nodes: number; readonly size: number; readonly kind: string } {
  const wrong = (why: string): never => fail("cluster/launch", undefined, cluster.name, why);
  const kinds = new Set(devicesOf(cluster).map((it) => it.profile));
  const [kind = ""] = kinds;
  if (kinds.size > 1) wrong("it mixes devices");
  if (!kind.startsWith("ascend-")) wrong(`vLLM has no public plugin for ${kind}`);
  const sizes = [...Map.groupBy(nodesOf(cluster), (node) => node).values()].map((it) => it.length);
  const [size = 1] = sizes;
  if (sizes.some((it) => it !== size)) wrong("its nodes are of different sizes");
  return { nodes: sizes.length, size, kind };
}

/** One tensor rank a device of a node, one data-parallel group a node: what suits nodes whose devices are close. */
export function usualMesh(cluster: Cluster): Mesh {
  const { nodes, size } = nodeOf(cluster);
  return { pp: 1, dp: nodes, ep: 1, tp: size };
}

/** Quoted for a shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** The script's text: `launch.sh head`, then on the other nodes `launch.sh worker HEAD`, then on the first `launch.sh serve`. */
export function vllmLaunchScript(cluster: Cluster, serving: Serving): string {
  const { nodes, size, kind } = nodeOf(cluster);
  const { mesh } = serving;
  const ranks = rankCount(mesh);
  if (ranks !== nodes * size)
    fail(
      "cluster/launch",
      undefined,
      cluster.name,
      `it has ${nodes * size} devices, the mesh ${ranks} ranks`,
    );
  if ((mesh.tp * mesh.pp) % size !== 0 && size % (mesh.tp * mesh.pp) !== 0)
    fail("cluster/launch", undefined, cluster.name, `${mesh.tp * mesh.pp} ranks of a group do not fill nodes of ${size}`); // prettier-ignore
  return `${[
    `#!/bin/bash`,
    `# Serve with vLLM on Ray: ${cluster.name}, ${nodes} x ${size} ${kind}.`,
    `#   on the first node   launch.sh head`,
    `#   on each other node  launch.sh worker ADDRESS-OF-THE-FIRST`,
    `#   on the first node   launch.sh serve`,
    `# NIC names the network interface between nodes, IP this node's address on it, PORT where requests come in.`,
    `set -euo pipefail`,
    `NIC=\${NIC:-eth0}`,
    `IP=\${IP:-$(ip -4 -o addr show "$NIC" | awk '{split($4, a, "/"); print a[1]; exit}')}`,
    ``,
    ...environment(serving, size, kind),
    ``,
    `case \${1:-} in`,
    `  head) exec ray start --head --port=6379 --node-ip-address="$IP" ;;`,
    `  worker) exec ray start --address="$2:6379" --node-ip-address="$IP" ;;`,
    `  serve) ;;`,
    `  *) echo "launch.sh head | worker ADDRESS | serve" >&2; exit 2 ;;`,
    `esac`,
    ``,
    `exec vllm serve ${quoted(serving.model)} \\`,
    serveFlags(serving, nodes)
      .map((flag) => `  ${flag}`)
      .join(" \\\n"),
  ].join("\n")}\n`;
}

function environment(serving: Serving, size: number, kind: string): readonly string[] {
  const { experts, mesh, sequences } = serving;
  const expertRanks = mesh.dp * mesh.ep * mesh.tp;
  const buffer =
    experts &&
    hcclBuffSize({
      tokens: sequences,
      width: experts.width,
      topK: experts.topK,
      ranks: expertRanks,
      localExperts: Math.ceil(experts.count / expertRanks),
    });
  const devices = Array.from({ length: size }, (_, i) => i).join(",");
  const isA2 = kind.startsWith("ascend-910b");
  return [
    `export HCCL_IF_IP=$IP GLOO_SOCKET_IFNAME=$NIC TP_SOCKET_IFNAME=$NIC HCCL_SOCKET_IFNAME=$NIC`,
    `export OMP_PROC_BIND=false OMP_NUM_THREADS=1 TASK_QUEUE_ENABLE=1 HCCL_OP_EXPANSION_MODE=AIV`,
    `export PYTORCH_NPU_ALLOC_CONF=expandable_segments:True`,
    ...(buffer === undefined
      ? []
      : [
          `# Room for ${sequences} tokens a rank to be dispatched among ${expertRanks} ranks, in MB`,
          `export HCCL_BUFFSIZE=${buffer}`,
        ]),
    ...(isA2 ? [`export HCCL_INTRA_PCIE_ENABLE=1 HCCL_INTRA_ROCE_ENABLE=0`] : []),
    `export RAY_EXPERIMENTAL_NOSET_ASCEND_RT_VISIBLE_DEVICES=1 ASCEND_RT_VISIBLE_DEVICES=${devices}`,
  ];
}

function serveFlags(serving: Serving, nodes: number): readonly string[] {
  const { mesh, sequences, context, experts, expertMap, quantized } = serving;
  const groups = mesh.dp * mesh.ep;
  const extra = expertMap === undefined ? undefined : { eplb_config: { expert_map_path: expertMap } };
  return [
    `--host 0.0.0.0 --port "\${PORT:-8004}"`,
    `--distributed-executor-backend ray`,
    `--tensor-parallel-size ${mesh.tp}`,
    ...(mesh.pp > 1 ? [`--pipeline-parallel-size ${mesh.pp}`] : []),
    ...(groups > 1
      ? [
          `--data-parallel-size ${groups} --data-parallel-size-local ${Math.max(1, Math.floor(groups / nodes))}`,
          `--data-parallel-backend ray --data-parallel-address "$IP" --data-parallel-rpc-port 13389`,
        ]
      : []),
    ...(experts ? [`--enable-expert-parallel`] : []),
    ...(quantized ? [`--quantization ascend`] : []),
    ...(extra ? [`--additional-config ${quoted(JSON.stringify(extra))}`] : []),
    `--max-num-seqs ${sequences} --max-model-len ${context} --max-num-batched-tokens 4096`,
    `--trust-remote-code --gpu-memory-utilization 0.92`,
    `--compilation-config '{"cudagraph_mode":"FULL_DECODE_ONLY"}'`,
  ];
}
