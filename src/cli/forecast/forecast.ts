/** `moec compile MODEL --cluster NAME`: find a layout and say what it delivers. */
import { forecastModel, type ClusterForecast } from "../../driver/forecast/forecast.ts";
import { isOnnx } from "../../driver/model.ts";
import type { Station } from "../../cluster/model/service.ts";
import type { Parallel } from "../../driver/ranks/ranks.ts";
import { fail } from "../../support/diagnostics.ts";
import type { Context } from "../command.ts";
import { parallelOf } from "../compile/settings.ts";
import type { Request } from "../compile/request.ts";
import { forecastReport } from "./report.ts";
import { forecastText } from "./text.ts";

/** The forecast for a cluster, where one is named; a mesh that is given is not searched for. */
export function forecastFor(path: string, request: Request): ClusterForecast | undefined {
  const { cluster, scheme, context, tpot, ttft, promptLength, outputLength } = request;
  if (cluster === undefined) {
    const limit = tpot === undefined ? "--ttft" : "--tpot";
    if (tpot === undefined && ttft === undefined) return undefined;
    return fail("usage/missing", { kind: "flag", flag: "--cluster" }, `the cluster that ${limit} is for`);
  }
  if (isOnnx(path)) return fail("cluster/graph", { kind: "flag", flag: "--cluster" });
  return forecastModel(path, {
    cluster,
    scheme,
    parallel: request.parallel && parallelOf(request),
    context,
    demand: { promptLength, outputLength },
    limits: { ...(tpot !== undefined && { tpot }), ...(ttft !== undefined && { ttft }) },
  });
}

/** Show a forecast: one document for scripts, the frontier for people. */
export function show(it: ClusterForecast, cx: Context): void {
  cx.stdout.write(cx.json ? `${JSON.stringify(forecastReport(it), undefined, 2)}\n` : forecastText(it));
}

/** How a station of a forecast shares the model: what a plan is made for. */
export function parallelIn({ forecast }: Station): Parallel {
  const { mesh, redundantExperts } = forecast.layout;
  return { mesh, redundantExperts };
}
