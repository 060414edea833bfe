/** Kernels found legal are remembered: such are not looked at again, any other is. */
import { appendFileSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compile } from "../../../src/driver/compile.ts";
import { memoryIn } from "../../../src/driver/device/tile-memory.ts";
import { profileOf } from "../../../src/driver/target.ts";
import { verifyKernel } from "../../../src/machine/verify/verify.ts";
import { rememberingVerifier, type VerifiedKernels } from "../../../src/plan/verified-kernels.ts";
import { root } from "../../support/moec.ts";
import { noWarning } from "../../support/no-warning.ts";
import { scheduleCases } from "../../support/schedules/cases.ts";
import { flagFaults } from "../../support/schedules/faults/flags.ts";
import { tempFolder } from "../../support/temp.ts";

const temp = tempFolder();

/** A verifier that remembers in `known`, and how many kernels it has looked at. */
function counting(known: VerifiedKernels) {
  let looks = 0;
  const verify = rememberingVerifier(known, (...of) => {
    looks++;
    return verifyKernel(...of);
  });
  return { verify, looks: () => looks };
}

const [first] = scheduleCases;
if (!first) throw new Error("no schedules to look at");

test("every kernel is looked at once, in this run or an earlier one", () => {
  const folder = join(temp, "kept");
  const { verified: now, keep } = memoryIn(folder, noWarning);
  const cold = counting(now);
  for (const { kernel, profile, trials } of scheduleCases) cold.verify(kernel, profile, trials);
  keep();
  expect(cold.looks()).toBe(now.size);
  expect(now.size).toBeGreaterThan(1);
  appendFileSync(join(folder, "verified.txt"), "0123abc");
  const later = memoryIn(folder, noWarning).verified;
  expect(later).toEqual(now);
  const warm = counting(later);
  for (const { kernel, profile, trials } of scheduleCases)
    expect(warm.verify(kernel, profile, trials)).toEqual([]);
  expect(warm.looks()).toBe(0);
});

test("a changed text, machine or size is looked at anew", () => {
  const { kernel, profile, trials } = first;
  const { verify, looks } = counting(new Set());
  verify(kernel, profile, trials);
  verify({ ...kernel, name: "other" }, profile, trials);
  verify(kernel, { ...profile, clock: { ...profile.clock, value: profile.clock.value + 1 } }, trials);
  verify(kernel, profile, trials.slice(1));
  expect(looks()).toBe(4);
});

test("a fault in a kernel that was legal is found, each time", () => {
  const { kernel, profile, trials } = first;
  const known: VerifiedKernels = new Set();
  const { verify } = counting(known);
  expect(verify(kernel, profile, trials)).toEqual([]);
  const broken = flagFaults[0]?.put(kernel, () => 0, profile, trials) ?? kernel;
  for (const _ of [1, 2]) expect(verify(broken, profile, trials)).not.toEqual([]);
  expect(known.size).toBe(1);
});

test("a plan has the same bytes whatever is remembered", async () => {
  const verified: VerifiedKernels = new Set();
  const device = { profile: profileOf("ascend-910b3"), tiles: new Map(), trials: 1, verified };
  const made = async (name: string): Promise<readonly (readonly [string, string])[]> => {
    const dir = join(temp, name);
    await compile(join(root, "fixtures/tiny/v3"), dir, { device });
    const names = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((it) => it.isFile());
    return names.map((it) => [it.name, readFileSync(join(it.parentPath, it.name), "latin1")]);
  };
  const cold = await made("cold");
  const count = verified.size;
  expect(count).toBeGreaterThan(1);
  expect(await made("warm")).toEqual(cold);
  expect(verified.size).toBe(count);
});
