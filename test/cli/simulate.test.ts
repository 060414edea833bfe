/** What users are told of a plan's time on a device: by `moec compile` as it is made, by `moec simulate` of any call. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { limits } from "../../src/machine/simulate/limit.ts";
import { withValue } from "../support/json-edit.ts";
import { moec } from "../support/moec.ts";
import { tempFolder } from "../support/temp.ts";

const temp = tempFolder();
const plan = join(temp, "plan");
const compile = (...more: readonly string[]) =>
  moec(["compile", "fixtures/tiny/v3", "--target", "ascend-910b3", "--tune", "1", "--context", "64", ...more]); // prettier-ignore
const simulate = (...more: readonly string[]) => moec(["simulate", plan, ...more]);
type Kernels = readonly { readonly kernel: string; readonly limit: string; readonly roofline: number; readonly microseconds: number }[]; // prettier-ignore

test("a compile tells of each phase what limits its kernels, and which take most", () => {
  const { code, err } = compile("-o", plan);
  expect(code).toBe(0);
  expect(err).toMatch(/^prefill of 64 tokens: \d+ us \(simulated\); limits: launch \d+\.\d %/m);
  expect(err).toMatch(/^decode of 1 token behind 63 positions: /m);
  expect(err).toMatch(
    /^ +us +of all +roofline +times +limit +kernel\n( +\d+\.\d +\d+\.\d % +\d+\.\d % +\d+ {2}launch {2}\w+\n){5}/m,
  );
  expect(err).toContain("that are a model, as nobody has published them");
});

test("and as JSON all of it, the same that a simulation says", () => {
  const { phases } = JSON.parse(compile("--dry-run", "--json").out) as {
    readonly phases: readonly { readonly phase: string; readonly microseconds: number; readonly microsecondsByLimit: Readonly<Record<string, number>>; readonly kernels: Kernels }[]; // prettier-ignore
  };
  expect(phases.map((it) => it.phase)).toEqual(["prefill", "decode"]);
  for (const { microseconds, microsecondsByLimit, kernels } of phases) {
    for (const { limit } of kernels) expect(Object.keys(limits)).toContain(limit);
    const sum = Object.values(microsecondsByLimit).reduce((n, it) => n + it, 0);
    expect(sum).toBeCloseTo(microseconds, 6);
  }
  const found = JSON.parse(simulate("--json").out) as { readonly microseconds: number; readonly kernels: Kernels }; // prettier-ignore
  expect(found.microseconds).toBeCloseTo(phases[0]?.microseconds ?? 0, 6);
  expect(found.kernels.map((it) => it.kernel)).toEqual(phases[0]?.kernels.map((it) => it.kernel));
});

test("a simulation says what works, what moves, what limits, and that energy is a model", () => {
  const { code, out } = simulate("--tokens", "7");
  expect(code).toBe(0);
  expect(out).toMatch(/^engines at work: (\w+\.\w+ \d+\.\d %, )+/m);
  expect(out).toMatch(/^bytes: gm to l1 \d/m);
  expect(out).toMatch(/^energy: \S+ J by a model; nobody has published energies$/m);
  expect(out).toContain(`limit launch: ${limits.launch}`);
});

test("a report is a page of its own: limits, kernels, paths, and energy as a model", () => {
  const file = join(temp, "plan.html");
  expect(moec(["report", plan, "-o", file]).code).toBe(0);
  const page = readFileSync(file, "utf8");
  for (const head of [
    "prefill of 64 tokens",
    "decode of 1 token behind 63 positions",
    "Time by limit",
    "Time by kernel",
    "Bytes by path",
  ])
    expect(page).toContain(`>${head}<`);
  expect(page).toMatch(/Energy: \S+ J. This is a model/);
  expect(page).not.toMatch(/<script|https?:/);
  const { code, err } = moec(["report", plan, "-o", join(temp, "nowhere", "plan.html")]);
  expect([code, err]).toEqual([2, expect.stringContaining("error[plan/write]")]);
});

test("a trace is one JSON document; where it cannot be written the file is named", () => {
  const file = join(temp, "trace.json");
  expect(simulate("--tokens", "2", "--trace", file).code).toBe(0);
  expect(JSON.parse(readFileSync(file, "utf8"))).toHaveProperty("traceEvents");
  const { code, err } = simulate("--tokens", "2", "--trace", join(temp, "nowhere", "trace.json"));
  expect([code, err]).toEqual([2, expect.stringContaining("error[plan/write]: cannot write")]);
});

test("no two spans of a trace cross on one row", () => {
  const file = join(temp, "rows.json");
  expect(simulate("--tokens", "32", "--trace", file).code).toBe(0);
  const { traceEvents } = JSON.parse(readFileSync(file, "utf8")) as {
    readonly traceEvents: readonly { readonly ph: string; readonly tid: number; readonly ts: number; readonly dur: number }[]; // prettier-ignore
  };
  const ends = new Map<number, number>();
  for (const { tid, ts, dur } of traceEvents.filter((it) => it.ph === "X")) {
    expect(dur).toBeGreaterThanOrEqual(0);
    expect(ts).toBeGreaterThanOrEqual((ends.get(tid) ?? 0) - 1e-6);
    ends.set(tid, ts + dur);
  }
});

test.each([
  [["--rank", "1"], "--rank is 1, expected 0 to 0, the ranks of the plan"],
  [["--tokens", "65"], "--tokens is 65, expected at most 64"],
  [["--past", "1000"], "1,064 positions are needed, the plan was compiled for 64"],
  [["--phase", "fill"], "Allowed choices are prefill, decode"],
])("what cannot be is said: %s", (flags, why) => {
  const { code, err } = simulate(...flags);
  expect(code).toBe(2);
  expect(err).toContain(why);
});

test.each([
  ["/groups/value", 1e6, "groups.value of the profile is wrong: must be at most 4096"],
  ["/vector/converts/value", [], "error[device/no-conversion]: the vector unit of ascend-910b3 turns no"],
])("a chip that could not be is refused: %s", (pointer, value, why) => {
  const file = join(temp, "chip.json");
  const profile: unknown = JSON.parse(moec(["targets", "ascend-910b3", "--json"]).out);
  writeFileSync(file, JSON.stringify(withValue(profile, pointer, value)));
  const { code, err } = moec(["compile", "fixtures/tiny/v3", "--dry-run", "--context", "64", "--target", file]); // prettier-ignore
  expect([2, 3]).toContain(code);
  expect(err).toContain(why);
});
