import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { formatMesh, parseMesh } from "../../src/cluster/mesh.ts";
import { moec } from "../support/moec.ts";

const dry = (...args: readonly string[]) =>
  moec(["compile", "fixtures/moe-6m", "--dry-run", "--cluster", "8x ascend-910b3", ...args]);
type Report = {
  readonly chosen: {
    readonly decode: readonly { readonly parallel: string }[];
    readonly tpotMilliseconds: number;
  };
  readonly simulated: readonly {
    readonly phase: string;
    readonly stepMilliseconds: number;
    readonly analyticStepMilliseconds: number;
    readonly kernels: readonly { readonly name: string; readonly restsOn: string }[];
  }[];
  readonly frontier: readonly { readonly decode: readonly { readonly parallel: string }[] }[];
};

describe("moec compile --cluster", () => {
  test("prints the frontier and the choice", () => {
    const { code, out } = dry("--tpot", "50ms", "--ttft", "2s");
    expect(code).toBe(0);
    expect(out).toContain("8x ascend-910b3, 8 devices; prompts of 3276 and answers of 820 tokens");
    expect(out).toMatch(/^\* {2}tp1 /m);
    expect(out).toMatch(/rests on: times uncertain \(\d+ figures\).*; memory vendor, energy model/);
  });

  test("gives scripts one document, and forecasts the mesh that they ask for", () => {
    const { code, out } = dry("--parallel", "ep4xtp2", "--json");
    expect(code).toBe(0);
    const report: Report = JSON.parse(out);
    expect(report.chosen.decode[0]?.parallel).toBe("ep4xtp2");
    expect(report.frontier.length).toBeGreaterThan(1);
    const [decode, prefill] = report.simulated;
    expect([decode?.phase, prefill?.phase]).toEqual(["decode", "prefill"]);
    const basis = new Map(decode?.kernels.map((it) => [it.name, it.restsOn]));
    expect(basis.get("experts in")).toBe("simulated schedule");
    expect(basis.get("attention")).toBe("simulated schedule");
    expect(basis.get("norm")).toBe("analytic model");
    expect(decode?.stepMilliseconds).toBeGreaterThan(decode?.analyticStepMilliseconds ?? Infinity);
  });

  test("names layouts as --parallel takes them", () => {
    const report: Report = JSON.parse(dry("--json").out);
    const names = report.frontier.flatMap((it) => it.decode.map(({ parallel }) => parallel));
    expect(names.map((it) => formatMesh(parseMesh(it)))).toEqual(names);
    const { code, out } = dry("--parallel", "dp4xtp2", "--json");
    expect(code).toBe(0);
    const asked: Report = JSON.parse(out);
    expect(asked.chosen.decode[0]?.parallel).toBe("dp4xtp2");
  });

  test("writes a plan for the layout that it chose", () => {
    const dir = mkdtempSync(join(tmpdir(), "moec-cluster-"));
    try {
      const args = ["compile", "fixtures/moe-6m", "-o", join(dir, "plan"), "--cluster", "8x ascend-910b3"];
      const { code, out } = moec([...args, "--parallel", "ep2", "--json"]);
      expect(code).toBe(0);
      const report: { readonly parallel: string; readonly target: string; readonly forecast: Report } =
        JSON.parse(out);
      expect([report.parallel, report.target]).toEqual(["ep2", "ascend-910b3"]);
      expect(report.forecast.chosen.decode[0]?.parallel).toBe("ep2");
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test("writes a plan for the devices that prefill, and one for those that decode", () => {
    const dir = mkdtempSync(join(tmpdir(), "moec-cluster-"));
    try {
      const cluster = "prefill: 1x biren-br100 + decode: 1x ascend-910b3";
      const args = ["compile", "fixtures/tiny/v3", "-o", dir, "--cluster", cluster, "--context", "64"];
      const { code, out } = moec([...args, "--prompt-length", "32", "--output-length", "8", "--tune", "1", "--json"]); // prettier-ignore
      expect(code).toBe(0);
      const report: { readonly [phase: string]: { readonly target: string } } = JSON.parse(out);
      expect([report["prefill"]?.target, report["decode"]?.target]).toEqual(["biren-br100", "ascend-910b3"]);
      expect(readdirSync(dir).sort()).toEqual(["decode", "prefill"]);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test.each([
    [["--tpot", "1us"], 4, "cluster/too-slow"],
    [["--tpot", "soon"], 2, "usage/command-line"],
    [["--parallel", "ep16"], 2, "cluster/no-layout"],
  ])("%j ends with %i, %s", (args, exit, diagnostic) => {
    const { code, err } = dry(...args);
    expect(code).toBe(exit);
    expect(err).toContain(diagnostic);
  });

  test("refuses limits where no cluster is named", () => {
    const { code, err } = moec(["compile", "fixtures/moe-6m", "--dry-run", "--tpot", "50ms"]);
    expect(code).toBe(2);
    expect(err).toContain("error[usage/missing]: the cluster that --tpot is for is missing");
  });
});
