import type { AttentionSpec } from "../../../device/kernels/attention/attention.ts";
import { load, store } from "../boxes.ts";
import type { Scope } from "../kernel.ts";
import { filled, multiplied, transposed } from "../tensors.ts";
import { ceilOver, least, loop, minus, modulo, over, plus, times } from "../writer.ts";
import { keysBox, rowsBox, scoresBox } from "./boxes.ts";
import type { ScoresCut } from "./cut.ts";
import { headsOf, shared } from "./items.ts";

/** Scores of one query a sequence, for attention whose sums are dealt out by columns: tiles of heads and keys, on the cube. */
export function attentionScores(scope: Scope, spec: AttentionSpec, { rows, keys }: ScoresCut): void {
  const { w, core, cores, size } = scope;
  const together = shared(spec);
  const parts = Math.ceil(together / rows);
  const seen = plus(w, "seen", size("P"), size("S"));
  const blocks = ceilOver(w, "blocks", seen, keys);
  const units = times(w, "units", size("B"), headsOf(spec.k) * parts);
  loop(w, "t", [core, times(w, "tiles", units, blocks), cores], (t) => {
    const unit = over(w, "unit", t, blocks);
    const sequence = over(w, "sequence", unit, headsOf(spec.k) * parts);
    const part = modulo(w, "part", unit, parts);
    const group = modulo(w, "group", over(w, "groups", unit, parts), headsOf(spec.k));
    const first = times(w, "first", part, rows);
    const head = plus(w, "head", times(w, "group.head", group, together), first);
    const item = {
      sequence,
      query: 0,
      head,
      group,
      rows: least(w, "rows", minus(w, "left", together, first), rows),
    };
    const key = times(w, "key", modulo(w, "block", t, blocks), keys);
    const at = { key, there: least(w, "keys", minus(w, "keys.left", seen, key), keys) };
    const q = load(w, "q", rowsBox(scope, spec, "q", spec.q, item, rows));
    const k = load(w, "k", keysBox(scope, "k", spec.k, item, at, keys));
    const none = filled(w, "none", 0, [rows, keys], "f32");
    const scores = multiplied(w, "scores", q, transposed(w, "k.turned", k), none);
    store(w, "out", scoresBox(scope, spec, item, at, [rows, keys]), scores);
  });
}
