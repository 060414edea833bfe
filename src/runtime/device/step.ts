/** One step of all ranks of a plan in time: launches one after another, and what ranks do together when all have come to it. */
import type { Moved, Pricing } from "../../cluster/model/collectives.ts";
import type { CollectiveStep, Rows } from "../../plan/program/program.ts";
import {
  callSize,
  collectivesOf,
  isLaunch,
  type Call,
  type Choices,
  type DeviceProgram,
  type DeviceStep,
} from "../../plan/program/device.ts";
import { fail } from "../../support/diagnostics.ts";
import type { Loaded } from "./device.ts";
import { byKernel, launchTimer, type KernelTime, type LaunchTimer } from "./simulate.ts";

/** When a rank did a step: it began at `start`, and before that waited for others. In microseconds. */
export type Span = {
  readonly step: DeviceStep;
  readonly start: number;
  readonly microseconds: number;
  readonly waited: number;
};

/** What the collectives of one kind take together on a rank. */
export type ExchangeTime = {
  readonly kind: CollectiveStep["collective"]["kind"];
  readonly times: number;
  readonly microseconds: number;
  /** Microseconds that the rank waits for others to come to them. */
  readonly waited: number;
};

/** A step on one rank. */
export type RankTime = {
  /** From the step's beginning until the rank is done. */
  readonly microseconds: number;
  readonly joules: number;
  readonly kernels: readonly KernelTime[];
  readonly exchanges: readonly ExchangeTime[];
  readonly spans: readonly Span[];
  /** The call as it turned out: what dispatches told. */
  readonly call: Call;
};

/** A rank on its way through its program. */
type Walker = {
  readonly rank: number;
  readonly program: DeviceProgram;
  readonly call: Call & { readonly told: Map<string, number>; readonly choices: Map<string, Choices> };
  readonly times: KernelTime[];
  readonly spans: Span[];
  /** Collectives that are still to come, their rows in bytes. */
  readonly ahead: CollectiveStep[];
  at: number;
  clock: number;
};

/** Time a call of a program on all ranks. A pipeline's stages work one after the other. */
export function simulate(
  ranks: readonly Loaded[],
  name: string,
  call: Call,
  price: Pricing,
): readonly RankTime[] {
  const timers = new Map<string, LaunchTimer>();
  const walkers = ranks.map(({ device, profile }, rank): Walker => {
    timers.set(profile.name, timers.get(profile.name) ?? launchTimer(profile));
    const program = device.programs.find((it) => it.name === name) ?? fail("plan/damaged", undefined, "plan.json", `it has no ${name} program`); // prettier-ignore
    const own = { ...call, told: new Map<string, number>(), choices: new Map<string, Choices>() };
    const ahead = [...collectivesOf(program).steps];
    return { rank, program, call: own, times: [], spans: [], ahead, at: 0, clock: 0 };
  });
  const sent = new Map<string, number[]>();
  const walk = (it: Walker): void => {
    const loaded = ranks[it.rank];
    const timer = timers.get(loaded?.profile.name ?? "");
    for (; it.at < it.program.steps.length; it.at++) {
      const step = it.program.steps[it.at];
      if (!step || !isLaunch(step) || !loaded || !timer) return;
      const time = timer(loaded.kernels, step, it.call);
      it.times.push(time);
      pass(it, step, it.clock, time.microseconds);
    }
  };
  while (walkers.some((it) => it.at < it.program.steps.length)) {
    walkers.forEach(walk);
    const before = walkers.reduce((n, it) => n + it.at, 0);
    for (const it of walkers) meet(it, walkers, sent, price);
    if (walkers.reduce((n, it) => n + it.at, 0) === before && walkers.some((it) => it.at < it.program.steps.length))
      fail("plan/damaged", undefined, "plan.json", "its ranks wait for each other for ever"); // prettier-ignore
  }
  return walkers.map(({ clock, times, spans, call: own }) => ({
    microseconds: clock,
    joules: times.reduce((n, it) => n + it.joules, 0),
    kernels: byKernel(times),
    exchanges: byKind(spans),
    spans,
    call: own,
  }));
}

/** A rank has done its next step. */
function pass(it: Walker, step: DeviceStep, start: number, microseconds: number): void {
  it.spans.push({ step, start, microseconds, waited: start - it.clock });
  it.clock = start + microseconds;
}

/** Do the collective that a rank has come to, if all its members have; a sender waits for nobody. */
function meet(it: Walker, all: readonly Walker[], sent: Map<string, number[]>, price: Pricing): void {
  const [own] = it.ahead;
  const here = it.program.steps[it.at];
  if (!own || !here || isLaunch(here)) return;
  const { collective, group } = own;
  const key = group.join();
  if (collective.kind === "send" || collective.kind === "recv") {
    const queue = sent.get(key) ?? [];
    sent.set(key, queue);
    if (collective.kind === "send") {
      queue.push(it.clock);
      pass(it, here, it.clock, 0);
    } else {
      const left = queue.shift();
      if (left === undefined) return;
      const arrives = left + price(group, { kind: "send", bytes: bytesIn(collective.to, it.call) });
      const start = Math.max(it.clock, left);
      pass(it, here, start, Math.max(0, arrives - start));
    }
    advance(it);
    return;
  }
  const members = group.flatMap((rank) => all[rank] ?? []);
  const isHere = (other: Walker): boolean => {
    const step = other.program.steps[other.at];
    return step !== undefined && !isLaunch(step) && other.ahead[0]?.group.join() === key;
  };
  if (!members.every(isHere)) return;
  const start = Math.max(...members.map((other) => other.clock));
  if (collective.kind === "dispatch") tellArrivals(members, collective);
  const microseconds = Math.max(...members.map((other) => {
    const moved = other.ahead[0] && movedBy(other.ahead[0], other.call);
    return moved ? price(group, moved) : 0;
  })); // prettier-ignore
  for (const other of members) {
    const step = other.program.steps[other.at];
    if (step) pass(other, step, start, microseconds);
    advance(other);
  }
}

const advance = (it: Walker): void => {
  it.at++;
  it.ahead.shift();
};

const bytesIn = ({ rows, width }: Rows, call: Call): number => width * callSize(rows, call);

/** What a rank brings to a collective. */
function movedBy({ collective: it }: CollectiveStep, call: Call): Moved | undefined {
  switch (it.kind) {
    case "allReduce":
    case "reduceScatter":
      return { kind: it.kind, bytes: bytesIn(it.from, call) };
    case "allGather":
      return { kind: it.kind, bytes: bytesIn(it.to, call) };
    case "dispatch": {
      const bytesPerToken = it.x.width + it.indices.width + it.weights.width;
      return { kind: it.kind, tokens: callSize(it.x.rows, call), topK: it.indices.width / 4, bytesPerToken };
    }
    case "combine":
      return { kind: it.kind, bytes: bytesIn(it.rows, call) };
    default:
      return undefined;
  }
}

type Dispatch = Extract<CollectiveStep["collective"], { readonly kind: "dispatch" }>;

/** What arrives at each member where a token's experts are any with the same chance: rows, and how many of their choices are there. */
function tellArrivals(members: readonly Walker[], { x, indices, held, starts, count }: Dispatch): void {
  const tokens = members.reduce((n, it) => n + callSize(x.rows, it.call), 0);
  const topK = indices.width / 4;
  members.forEach(({ call }, i) => {
    const own = (starts[i + 1] ?? 0) - (starts[i] ?? 0);
    let none = 1;
    for (let j = 0; j < topK; j++) none *= Math.max(0, 1 - own / Math.max(1, held.length - j));
    const arrived = Math.ceil(tokens * (1 - none));
    call.told.set(count, arrived);
    if (arrived > 0) {
      const here = (topK * own) / held.length / (1 - none);
      call.choices.set(count, { here: Math.min(topK, Math.max(1, Math.round(here))), of: topK });
    }
  });
}

function byKind(spans: readonly Span[]): readonly ExchangeTime[] {
  const found = new Map<ExchangeTime["kind"], ExchangeTime>();
  for (const { step, microseconds, waited } of spans) {
    if (isLaunch(step)) continue;
    const { kind } = step.collective;
    const before = found.get(kind) ?? { kind, times: 0, microseconds: 0, waited: 0 };
    found.set(kind, { kind, times: before.times + 1, microseconds: before.microseconds + microseconds, waited: before.waited + waited }); // prettier-ignore
  }
  return [...found.values()].sort((a, b) => b.microseconds + b.waited - a.microseconds - a.waited);
}
