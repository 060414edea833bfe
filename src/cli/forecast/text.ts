/** A forecast as people read it. */
import { formatLayout } from "../../cluster/model/layout.ts";
import type { Forecast } from "../../cluster/model/forecast.ts";
import type { Service, Station } from "../../cluster/model/service.ts";
import type { ClusterForecast } from "../../driver/forecast/forecast.ts";
import type { Repriced } from "../../driver/forecast/simulated.ts";
import { bytes, counted, number, table, time } from "../../support/text.ts";
import { bindsStep, forecastReport, fullest, joulesOfService, slowest } from "./report.ts";

const tokens = (n: number): string => (n >= 100 ? number(Math.round(n)) : n.toPrecision(3));

const heading = ["", "decode", "batch", "prefill", "batch", "tok/s/device", "TPOT", "TTFT", "memory", "J/token", "binds"]; // prettier-ignore

const batch = ({ sequences, microBatches }: Forecast): string =>
  `${Number(sequences.toPrecision(3))}${microBatches > 1 ? ` in ${microBatches}` : ""}`;

/** The layouts of a phase; where there are stages, with their layers. */
const layouts = (stations: readonly Station[]): string =>
  stations
    .map(
      ({ layers, forecast }) =>
        `${stations.length > 1 ? `${counted(layers, "layer")} ` : ""}${formatLayout(forecast.layout)}`,
    )
    .join(" | ");

const batchesOf = (stations: readonly Station[]): string =>
  stations.map((it) => batch(it.forecast)).join(" | ");

const row = (it: ClusterForecast, service: Service): readonly string[] => {
  const { decode, prefill } = service;
  return [
    service === it.chosen ? "*" : "",
    layouts(decode),
    batchesOf(decode),
    service.kind === "split" ? layouts(prefill) : "the same devices",
    batchesOf(prefill),
    tokens(service.tokensPerSecond),
    time(service.tpot),
    time(service.ttft),
    bytes(Math.round(fullest(service))),
    tokens(joulesOfService(service)),
    bindsStep(slowest(decode)),
  ];
};

/** Which devices do what. */
function division({ kind, decode, prefill }: Service): string {
  const told = (stations: readonly Station[], what: string): string =>
    stations
      .map(
        ({ copies, forecast, pool }) =>
          `${copies} x ${formatLayout(forecast.layout)} of ${pool.profile.name} ${what} at ${tokens(forecast.tokensPerSecond)} tokens/s a device`,
      )
      .join(", ");
  if (kind === "split") return `${told(decode, "decode")}; ${told(prefill, "prefill")}`;
  const where = decode.map(
    ({ copies, layers, forecast, pool }) =>
      `${copies} x ${formatLayout(forecast.layout)} of ${pool.profile.name}${kind === "stages" ? ` for ${counted(layers, "layer")}` : ""}`,
  );
  return `${where.join(", ")}; prefill and decode in turn`;
}

/** A chosen layout with kernels timed on schedules. */
function simulatedText({ phase, station, simulated, kernels }: Repriced): string {
  const own = kernels.filter((it) => it.simulatedMicroseconds !== undefined);
  const step = (of: Forecast): string => time(of.stepMicroseconds * 1e-6);
  return `on simulated schedules (${own.length} of ${counted(kernels.length, "kernel")}): a step of ${phase} takes ${step(simulated)}, by the analytic model ${step(station.forecast)}; ${tokens(simulated.tokensPerSecond)} tokens/s a device`;
}

/** The frontier, the choice and what it rests on. */
export function forecastText(it: ClusterForecast): string {
  const { chosen, demand } = it;
  const { restsOn, quantization, chosen: report } = forecastReport(it);
  return [
    `${it.cluster.name}, ${counted(it.devices, "device")}; prompts of ${demand.promptLength} and answers of ${counted(demand.outputLength, "token")}; weights ${quantization}\n`,
    table([heading, ...it.search.services.map((service) => row(it, service))]),
    `chosen: ${division(chosen)}; ${chosen.requestsPerSecond.toPrecision(3)} requests/s; a larger batch ${report.batchBinds}`,
    ...(it.repriced ?? []).map(simulatedText),
    `rests on: times ${restsOn.time.confidence} (${counted(restsOn.time.figures.length, "figure")}), of kernels by the analytic model unless told otherwise; memory ${restsOn.memory.confidence}, energy ${restsOn.energy.confidence}; --json names each\n`,
  ].join("\n");
}
