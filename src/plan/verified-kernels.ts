/** Kernels that were found legal before, so that they are not looked at again. Where they are kept is the caller's matter. */
import { createHash } from "node:crypto";
import type { Profile } from "../machine/profile.ts";
import type { Kernel } from "../machine/schedule/kernel.ts";
import { printKernel } from "../machine/schedule/printer.ts";
import { verifyKernel, type Trial } from "../machine/verify/verify.ts";

/** What is legal may change with the verifier and with what its trials read; what another version let through is not trusted. */
const version = 10;

/** Looks for the faults of a kernel's schedule. */
export type Verifier = typeof verifyKernel;

/** Keys of the kernels that had no fault; a verifier adds to it. */
export type VerifiedKernels = Set<string>;

const digest = (of: unknown): string => createHash("sha256").update(JSON.stringify(of)).digest("hex").slice(0, 32); // prettier-ignore

/** What a kernel was found legal for: its text, the machine to the last figure, and the sizes it was looked at with. */
const keyOf = (kernel: Kernel, profile: string, trials: readonly Trial[]): string =>
  digest([version, printKernel(kernel), profile, trials.map(({ sizes }) => [...sizes])]);

/**
 * A verifier that asks `verify` only of kernels that are not in `known`, and adds those without a fault. What the trials' readers find must follow
 * from the kernel and its sizes. Kernels with faults are not remembered, so that their faults are told each time.
 */
export function rememberingVerifier(known: VerifiedKernels, verify: Verifier = verifyKernel): Verifier {
  const profiles = new Map<Profile, string>();
  return (kernel, profile, trials) => {
    const machine = profiles.get(profile) ?? digest(profile);
    profiles.set(profile, machine);
    const key = keyOf(kernel, machine, trials);
    if (known.has(key)) return [];
    const faults = verify(kernel, profile, trials);
    if (faults.length === 0) known.add(key);
    return faults;
  };
}

/** The keys of a text, a line each. Lines that are no key, such as one cut short by a crash, are as if they were not there. */
export const keysOf = (text: string): VerifiedKernels =>
  new Set(text.split("\n").filter((line) => /^[0-9a-f]{32}$/.test(line)));
