/** How each kind of a plan's kernels is written for Huawei's compiler: from what the plan's own kernel was made of. */
import type { Profile } from "../../../src/machine/profile.ts";
import { coreCount } from "../../../src/machine/rates.ts";
import type { KernelMaker, MadeKernel } from "../../device/context.ts";
import {
  attention as attentionKernel,
  attentionScores as scoresKernel,
} from "../../device/kernels/attention/attention.ts";
import { combine as combineKernel } from "../../device/kernels/attention/combine.ts";
import { gemm as gemmKernel } from "../../device/kernels/matrix/gemm.ts";
import * as copies from "../../device/kernels/vector/copy.ts";
import * as rowwise from "../../device/kernels/vector/elementwise.ts";
import { rmsNorm as normKernel } from "../../device/kernels/vector/norm.ts";
import { countSlots as countKernel } from "../../device/kernels/vector/count-slots.ts";
import { groupSlots as groupKernel } from "../../device/kernels/vector/group-slots.ts";
import * as permutes from "../../device/kernels/vector/permute.ts";
import { placeSlots as placeKernel } from "../../device/kernels/vector/place-slots.ts";
import { restoreRows as restoreKernel } from "../../device/kernels/vector/restore-rows.ts";
import { rope as ropeKernel } from "../../device/kernels/vector/rope.ts";
import { router as routerKernel } from "../../device/kernels/vector/router.ts";
import { attention } from "./attention/attention.ts";
import { attentionCut, scoresCut } from "./attention/cut.ts";
import { combine } from "./attention/combine.ts";
import { attentionScores } from "./attention/scores.ts";
import type { Copies } from "./compiler.ts";
import type { Mode, Scope } from "./kernel.ts";
import { cutOf } from "./matrix/cut.ts";
import { gemm, modeOf } from "./matrix/gemm.ts";
import type { Told } from "./told.ts";
import { appendRows, copyRows, gatherRows, restoreRows } from "./vector/copy.ts";
import { elementwise } from "./vector/elementwise.ts";
import { countSlots, groupSlots } from "./vector/group.ts";
import { rmsNorm } from "./vector/norm.ts";
import { combineRows, permuteRows } from "./vector/permute.ts";
import { rope } from "./vector/rope.ts";
import { router } from "./vector/router.ts";

/** A kernel's cores and work. */
export type Written = {
  readonly mode: Mode;
  readonly copies: Copies;
  readonly body: (scope: Scope) => void;
  /** What there is to say of its tile. */
  readonly told?: Told;
};

type Writing<S extends readonly unknown[]> = (profile: Profile, ...specs: S) => Written;

/** Work of the vector cores on rows. */
const rows =
  <S extends readonly unknown[]>(body: (scope: Scope, ...specs: S) => void): Writing<S> =>
  (_, ...specs) => ({ mode: "aiv", copies: "all", body: (scope) => body(scope, ...specs) });

/** How a maker's kernels are written: a kernel's specifications are what its maker was given. */
const by = <S extends readonly unknown[]>(maker: KernelMaker<S>, writing: Writing<S>) =>
  [maker as KernelMaker<never>, writing as unknown as Writing<readonly unknown[]>] as const;

const work = (op: Parameters<typeof elementwise>[1]) =>
  rows((scope: Scope, spec: rowwise.ElementwiseSpec) => elementwise(scope, op, spec));

const writings: ReadonlyMap<KernelMaker<never>, Writing<readonly unknown[]>> = new Map([
  by(gemmKernel, (profile, spec, tile) => {
    const cut = cutOf(profile, spec, tile);
    return {
      mode: modeOf(spec),
      copies: cut.copies,
      body: (scope) => gemm(scope, spec, cut),
      told: cut.told,
    };
  }),
  by(attentionKernel, (profile, spec, tile) => {
    const cut = attentionCut(profile, spec, tile);
    return {
      mode: "mix",
      copies: "all but accumulators",
      body: (scope) => attention(scope, spec, cut),
      told: cut.told,
    };
  }),
  by(scoresKernel, (profile, spec) => {
    const cut = scoresCut(profile, spec);
    return {
      mode: "aic",
      copies: "all but accumulators",
      body: (scope) => attentionScores(scope, spec, cut),
      told: cut.told,
    };
  }),
  by(combineKernel, rows(combine)),
  by(normKernel, rows(rmsNorm)),
  by(rowwise.silu, work("silu")),
  by(rowwise.add, work("add")),
  by(rowwise.mul, work("mul")),
  by(rowwise.swiglu, work("swiglu")),
  by(
    rowwise.roundRows,
    rows((scope, a, rounded) => elementwise(scope, "copy", { a, rounded })),
  ),
  by(restoreKernel, rows(restoreRows)),
  by(ropeKernel, rows(rope)),
  by(routerKernel, rows(router)),
  by(groupKernel, rows(groupSlots)),
  // One core counts anew what it sorts, which takes it no more work than adding up what others have.
  by(placeKernel, rows(groupSlots)),
  by(countKernel, (profile, spec) => ({
    mode: "aiv",
    copies: "all",
    body: (scope) => countSlots(scope, spec, coreCount(profile, profile.vector.core)),
  })),
  by(permutes.permuteRows, rows(permuteRows)),
  by(permutes.combineRows, rows(combineRows)),
  by(copies.copyRows, rows(copyRows)),
  by(copies.appendRows, rows(appendRows)),
  by(copies.gatherRows, rows(gatherRows)),
]);

/** How a kernel is written, or undefined for a kind that is not. */
export const writtenOf = (profile: Profile, { maker, specs }: MadeKernel): Written | undefined =>
  writings.get(maker)?.(profile, ...specs);
