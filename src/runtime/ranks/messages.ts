import type { Diagnostic } from "../../support/diagnostics.ts";
import type { Look, Seen } from "../probe.ts";
import type { Feeding } from "../session.ts";
import type { FabricPlan } from "./fabric.ts";

/** Tokens of one sequence, at positions past, past+1, … */
export type Call = { readonly by: Feeding; readonly ids: readonly number[]; readonly past: number };

/** What a rank's process is told, first to start. */
export type Order =
  | {
      readonly kind: "start";
      readonly plan: string;
      readonly rank: number;
      readonly threads: number;
      readonly fabric: FabricPlan;
      /** Whether looking again and again pays: each thread of each rank has a core. */
      readonly spins: number;
      /** Whether this rank is the one that gives the logits. */
      readonly answers: boolean;
    }
  | ({ readonly kind: "feed" } & Call)
  | { readonly kind: "look"; readonly ids: readonly number[]; readonly look: Look }
  | { readonly kind: "close" };

/** What it says back. */
export type Report =
  | { readonly kind: "ready"; readonly maxTokens: Readonly<Record<Feeding, number>> }
  | {
      readonly kind: "fed";
      readonly logits: Float32Array | undefined;
      /** The choices of each router of this rank for the tokens that it routed. */
      readonly routes: readonly Int32Array[];
    }
  | { readonly kind: "seen"; readonly seen: Seen }
  | { readonly kind: "failed"; readonly diagnostics: readonly Diagnostic[]; readonly fault: string };
