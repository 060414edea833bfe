/** A forecast as people read it. */
import { formatLayout } from "../../cluster/model/layout.ts";
import { totalBytes } from "../../cluster/model/memory.ts";
import type { Service } from "../../cluster/model/service.ts";
import type { ClusterForecast } from "../../driver/forecast/forecast.ts";
import { bytes, number, table, time } from "../../support/text.ts";
import { bindsStep, forecastReport, joulesOfService } from "./report.ts";

const tokens = (n: number): string => (n >= 100 ? number(Math.round(n)) : n.toPrecision(3));

const heading = ["", "decode", "batch", "prefill", "batch", "tok/s/device", "TPOT", "TTFT", "memory", "J/token", "binds"]; // prettier-ignore

const row = (it: ClusterForecast, service: Service): readonly string[] => {
  const { decode, prefill } = service;
  const batch = ({ sequences, microBatches }: typeof decode): string =>
    `${Number(sequences.toPrecision(3))}${microBatches > 1 ? ` in ${microBatches}` : ""}`;
  return [
    service === it.chosen ? "*" : "",
    formatLayout(decode.layout),
    batch(decode),
    service.kind === "shared" ? "the same devices" : formatLayout(prefill.layout),
    batch(prefill),
    tokens(service.tokensPerSecond),
    time(service.tpot),
    time(service.ttft),
    bytes(Math.round(totalBytes(service.memory))),
    tokens(joulesOfService(service)),
    bindsStep(decode),
  ];
};

/** The frontier, the choice and what it rests on. */
export function forecastText(it: ClusterForecast): string {
  const { chosen, demand } = it;
  const { restsOn, chosen: report } = forecastReport(it);
  const split =
    chosen.kind === "split"
      ? `${chosen.decodeCopies} x ${formatLayout(chosen.decode.layout)} decode at ${tokens(chosen.decode.tokensPerSecond)} tokens/s a device, ${chosen.prefillCopies} x ${formatLayout(chosen.prefill.layout)} prefill at ${tokens(chosen.prefill.tokensPerSecond)}`
      : `${chosen.decodeCopies} x ${formatLayout(chosen.decode.layout)}, prefill and decode in turn`;
  return [
    `${it.cluster.name}, ${it.devices} devices; prompts of ${demand.promptLength} and answers of ${demand.outputLength} tokens; weights ${chosen.pools.decode.precision.name}\n`,
    table([heading, ...it.search.services.map((service) => row(it, service))]),
    `chosen: ${split}; ${chosen.requestsPerSecond.toPrecision(3)} requests/s; a larger batch: ${report.batchBinds}`,
    `rests on: times ${restsOn.time.confidence} (${restsOn.time.figures.length} figures), memory ${restsOn.memory.confidence}, energy ${restsOn.energy.confidence}; --json names each\n`,
  ].join("\n");
}
