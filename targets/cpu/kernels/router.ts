import { exp, sigmoid } from "./math.ts";
import type { Spec } from "./spec.ts";
import { sumOf } from "./sums.ts";
import {
  add,
  f32,
  fload,
  fstore,
  get,
  i32,
  kernel,
  lane,
  loop,
  mul,
  set,
  splat,
  when,
} from "../../../src/wasm/wat.ts";

const index = (base: string, i: string): string => add(base, mul(i, 4));

/**
 * Scatter the chosen slots by expert: counts[e] .. counts[e+1] are expert e's slots in `order`, ascending; slots of negative
 * indices stand nowhere. One unit.
 */
export function expertGroups(name: string, s: Spec<"expertGroups">): string {
  const count = (e: string, offset = 0) => `(i32.load offset=${offset} ${index(get("counts"), e)})`;
  const store = (e: string, value: string, offset = 0) =>
    `(i32.store offset=${offset} ${index(get("counts"), e)} ${value})`;
  const eachChosen = (body: string) =>
    loop(
      "i",
      i32(0),
      slots,
      1,
      `${set("e", `(i32.load ${index(get("indices"), get("i"))})`)} ${when(`(i32.ge_s ${get("e")} (i32.const 0))`, body)}`,
    );
  const slots = mul(get("S"), s.k);
  const sort = [
    `(memory.fill ${get("counts")} (i32.const 0) ${i32(4 * (s.experts + 1))})`,
    eachChosen(store(get("e"), add(count(get("e"), 4), i32(1)), 4)),
    loop("e", i32(0), i32(s.experts), 1, store(get("e"), add(count(get("e"), 4), count(get("e"))), 4)),
    eachChosen(
      `(i32.store ${index(get("order"), count(get("e")))} ${get("i")}) ${store(get("e"), add(count(get("e")), i32(1)))}`,
    ),
    // The starts have moved on to the next expert's start: shift them back.
    loop(
      "i",
      i32(0),
      i32(s.experts),
      1,
      `${set("e", `(i32.sub ${i32(s.experts)} ${get("i")})`)} ${store(get("e"), `(i32.load (i32.sub ${index(get("counts"), get("e"))} (i32.const 4)))`)}`,
    ),
    store(i32(0), i32(0)),
  ].join(" ");
  return kernel(
    name,
    ["indices", "counts", "order", "S"],
    { i32: ["i", "e"] },
    when(`(i32.lt_s ${get("begin")} ${get("end")})`, sort),
  );
}

/** Index of the largest of `n` floats at `base` into `best`, its value into `most`; of equals the first. */
const largest = (base: string, n: number): string =>
  [
    set("best", i32(0)),
    set("most", "(f32.const -inf)"),
    loop(
      "j",
      i32(0),
      i32(n),
      1,
      `${set("f", fload(index(base, get("j"))))} ${when(`(f32.gt ${get("f")} ${get("most")})`, `${set("most", get("f"))} ${set("best", get("j"))}`)}`,
    ),
  ].join(" ");

const range = (n: number): readonly number[] => Array.from({ length: n }, (_, i) => i);

/** Where an expert's score stands in a row of a device's vector unit: groups begin at multiples of 32 bytes. */
function columnOf({ experts, groups }: Spec<"router">, e: number): number {
  const size = experts / groups;
  return Math.floor(e / size) * Math.ceil(size / 8) * 8 + (e % size);
}

/** Scores of one token into scratch: score at 0, choice (score + bias) behind it. */
function scores(s: Spec<"router">): string {
  const logit = fload(index(get("xr"), get("j")));
  const put = (value: string) => fstore(index(get("scratch"), get("j")), value);
  const score =
    s.scoring === "sigmoid"
      ? loop("j", i32(0), i32(s.experts), 1, put(lane(sigmoid(splat(logit)), 0)))
      : [
          largest(get("xr"), s.experts),
          loop("j", i32(0), i32(s.experts), 1, put(lane(exp(splat(`(f32.sub ${logit} ${get("most")})`)), 0))),
          set(
            "sum",
            sumOf(new Map(range(s.experts).map((e) => [columnOf(s, e), fload(get("scratch"), 4 * e)]))),
          ),
          loop(
            "j",
            i32(0),
            i32(s.experts),
            1,
            put(`(f32.div ${fload(index(get("scratch"), get("j")))} ${get("sum")})`),
          ),
        ].join(" ");
  const bias = s.bias ? fload(index(get("bias"), get("j"))) : "(f32.const 0)";
  const choice = loop(
    "j",
    i32(0),
    i32(s.experts),
    1,
    fstore(index(get("choice"), get("j")), `(f32.add ${fload(index(get("scratch"), get("j")))} ${bias})`),
  );
  return `${score} ${choice}`;
}

/** Put -inf over the choice of every expert outside the best groups. */
function limitGroups(s: Spec<"router">): string {
  if (s.groups === 1) return "";
  const size = s.experts / s.groups;
  const groupBase = add(get("choice"), mul(get("g"), size * 4));
  const score = [
    set("first", "(f32.const -inf)"),
    set("second", "(f32.const -inf)"),
    loop(
      "j",
      i32(0),
      i32(size),
      1,
      [
        set("f", fload(index(groupBase, get("j")))),
        `(if (f32.gt ${get("f")} ${get("first")}) (then ${set("second", get("first"))} ${set("first", get("f"))}) (else ${when(`(f32.gt ${get("f")} ${get("second")})`, set("second", get("f")))}))`,
      ].join(" "),
    ),
    fstore(
      index(get("groupScores"), get("g")),
      s.groupScore === "max" || size === 1 ? get("first") : `(f32.add ${get("first")} ${get("second")})`,
    ),
  ].join(" ");
  const drop = loop("j", i32(0), i32(size), 1, fstore(index(groupBase, get("j")), "(f32.const -inf)"));
  // A kept group's score becomes +inf - a mark that the last loop reads - so that it is not picked again.
  const mark = (value: string) => fstore(index(get("groupScores"), get("best")), value);
  return [
    loop("g", i32(0), i32(s.groups), 1, score),
    loop(
      "g",
      i32(0),
      i32(s.topGroups),
      1,
      `${largest(get("groupScores"), s.groups)} ${mark("(f32.const nan)")}`,
    ),
    loop(
      "g",
      i32(0),
      i32(s.groups),
      1,
      when(
        `(f32.eq ${fload(index(get("groupScores"), get("g")))} ${fload(index(get("groupScores"), get("g")))})`,
        drop,
      ),
    ),
  ].join(" ");
}

/** The router: scores, best groups, best experts, their weights. Semantics as in ir/ops/moe.ts; units are tokens. */
export function router(name: string, s: Spec<"router">): string {
  const slot = add(mul(get("s"), s.k), get("p"));
  const pick = [
    largest(get("choice"), s.experts),
    `(i32.store ${index(get("indices"), slot)} ${get("best")})`,
    fstore(index(get("choice"), get("best")), "(f32.const nan)"),
    fstore(index(get("weights"), slot), fload(index(get("scratch"), get("best")))),
  ].join(" ");
  const denominator = s.normalize ? `(f32.add ${get("sum")} ${f32(1e-20)})` : "(f32.const 1)";
  const scale = fstore(
    index(get("weights"), slot),
    `(f32.mul (f32.div ${fload(index(get("weights"), slot))} ${denominator}) ${f32(s.scale)})`,
  );
  const token = [
    set("xr", add(get("x"), mul(get("s"), s.experts * 4))),
    scores(s),
    limitGroups(s),
    loop("p", i32(0), i32(s.k), 1, pick),
    set(
      "sum",
      sumOf(new Map(range(s.k).map((p) => [p, fload(index(get("weights"), mul(get("s"), s.k)), 4 * p)]))),
    ),
    loop("p", i32(0), i32(s.k), 1, scale),
  ].join(" ");
  return kernel(
    name,
    ["x", "bias", "indices", "weights", "S", "scratch"],
    {
      i32: ["s", "xr", "choice", "groupScores", "j", "g", "p", "best"],
      f32: ["f", "most", "sum", "first", "second"],
    },
    [
      set("choice", add(get("scratch"), i32(s.experts * 4))),
      set("groupScores", add(get("choice"), i32(s.experts * 4))),
      loop("s", get("begin"), get("end"), 1, token),
    ].join(" "),
  );
}
