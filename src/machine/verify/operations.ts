import type { Operation, Prepared } from "../schedule/prepare.ts";

/** Every operation below, in the order of the text. */
export const operations = (body: readonly Prepared[]): readonly Operation[] =>
  body.flatMap((it) => (it.kind === "operation" ? [it] : it.kind === "let" ? [] : operations(it.body)));
