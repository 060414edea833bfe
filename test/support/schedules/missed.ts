import { verifyKernel } from "../../../src/machine/verify/verify.ts";
import { createRandom } from "../../../src/support/random.ts";
import { scheduleCases } from "./cases.ts";
import type { Fault } from "./faults/fault.ts";

/** Puts so many faults of a class into correct schedules, at random; those that the verifier does not name, in words. */
export function missedFaults(faults: readonly Fault[], seed: number, rounds: number): readonly string[] {
  const { below: pick } = createRandom(seed);
  const missed: string[] = [];
  for (let i = 0, done = 0; done < rounds; i++) {
    const fault = faults[i % faults.length];
    const of = scheduleCases[pick(scheduleCases.length)];
    const broken = of && fault?.put(of.kernel, pick, of.profile, of.trials);
    if (!fault || !broken) continue;
    done++;
    const found = verifyKernel(broken, of.profile, of.trials).map((it) => it.code);
    if (!found.some((code) => fault.codes.includes(code))) missed.push(`${of.name}, ${fault.name}: ${found.join() || "nothing"}`); // prettier-ignore
  }
  return missed;
}
