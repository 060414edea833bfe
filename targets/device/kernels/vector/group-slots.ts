/**
 * Slots brought into groups of one expert each. A slot is one choice of one token, token s's j-th being s * topK + j; within a group they keep
 * their order.
 */
import type { Profile } from "../../../../src/machine/profile.ts";
import { coreCount } from "../../../../src/machine/rates.ts";
import type { Kernel } from "../../../../src/machine/schedule/kernel.ts";
import { named } from "../name.ts";
import { buffer, kernelOf, lines, pitch, tileOf } from "./tile.ts";

/** How slots are grouped: `partial` where some are of experts elsewhere, -1 here. */
export type GroupSpec = { readonly experts: number; readonly topK: number; readonly partial: boolean };

/** Columns between numbers that start where the machine can address them. */
const apart = pitch("f32", 1);

/** Slots whose places are written at a time. */
const few = 64;

/** Chunks of slots that are under way while one is worked on: what is done with it for few experts takes less time than another takes to come. */
const chunksAhead = (each: number): number => (each > 4 ? 1 : 3);

const whole = "[0 : 1, 0 : cols]";
const short = "[0 : 1, 0 : kept]";

/**
 * A counting sort of slots by their experts. Each core has some experts that follow one another, and goes through all slots for them: what is below an
 * expert gives where its group begins, what equals it the group. Where there are fewer experts than cores, several share one: each has a part of the
 * slots, whose places follow those of the parts before. Tensors: `indices` i32 [S * topK]; `offsets` i32 [experts + 1], where groups
 * begin and the last ends; `place` i32 [S * topK], where in the order of the groups each slot stands. Slots of experts elsewhere are before all
 * groups, and get no place.
 */
export function groupSlots(profile: Profile, { experts, topK, partial }: GroupSpec): Kernel {
  const make = buffer(profile);
  const cores = coreCount(profile, profile.vector.core);
  const parts = Math.max(1, Math.floor(cores / experts));
  const each = Math.ceil(experts / cores);
  const ahead = chunksAhead(each);
  const column = apart * (3 * few + 7 * each);
  const { cols } = tileOf(profile, 8192, 1, { chunk: 16 + 8 * ahead + 4 * each, column });
  const eachChunk = (from: string, to: string, body: string): string =>
    lines(
      `for c in ${from} .. ${to} step ${cols} {`,
      `let cols = min(${cols}, ${to} - c)`,
      make("chosen0", "i32", 1, cols, ahead),
      `copy indices[c : cols] -> chosen0${whole}`,
      `vector copy chosen0${whole} -> chosen${whole}`,
      body,
      "}",
    );
  return kernelOf(
    profile,
    lines(
      `kernel ${named("groupSlots", `${topK}of${experts}`, partial && "partial")} for ${profile.name}`,
      "size S",
      `tensor indices: i32[S * ${topK}] in`,
      `tensor offsets: i32[${experts + 1}] out`,
      `tensor place: i32[S * ${topK}] out`,
      `on ${profile.vector.core} {`,
      `let low = (group * cores + core) / ${parts} * ${each}`,
      `let own = max(0, min(${each}, ${experts} - low))`,
      make("begins", "f32", each, apart),
      `vector fill -> begins[0 : ${each}, 0 : ${apart}] with 0`,
      parts > 1 && make("earlier", "f32", each, apart),
      parts > 1 && `vector fill -> earlier[0 : ${each}, 0 : ${apart}] with 0`,
      upwards(profile),
      // What is done with a chunk is done in few buffers, so that it may be long.
      ...["chosen", "mask", "other", "numbers"].map((it) => make(it, "f32", 1, cols)),
      `let slots = S * ${topK}`,
      `let part = (group * cores + core) mod ${parts}`,
      `let wide = ceil(slots, ${parts})`,
      "let from = min(slots, part * wide)",
      "let to = min(slots, from + wide)",
      eachChunk(
        "0",
        "slots",
        lines(counted(profile, each, "isBelow", "cols"), parts > 1 && before(profile, each)),
      ),
      "for first in 0 .. max(0, 1 - part) {",
      writtenOffsets(profile, each, experts),
      "}",
      parts > 1 && "vector add begins[0 : own, 0 : 1], earlier[0 : own, 0 : 1] -> begins[0 : own, 0 : 1]",
      eachChunk("from", "to", placed(profile, each, cols)),
      "}",
    ),
  );
}

/** The numbers from 0 on, one a row: twice as many at each step. */
function upwards(profile: Profile): string {
  const rows = (from: number, count: number): string => `upwards[${from} : ${count}, 0 : ${apart}]`;
  const steps = Array.from({ length: Math.log2(few) }, (_, i) => 2 ** i);
  return lines(
    buffer(profile)("upwards", "i32", few, apart),
    `vector fill -> ${rows(0, 1)} with 0`,
    ...steps.map((it) => `vector adds ${rows(0, it)} -> ${rows(it, it)} with ${it}`),
  );
}

/** A number of each of a core's experts. */
const ofOwn = (name: string): string => `${name}[0 : own, 0 : 1]`;

/** Adds up how many of so many slots of a chunk are below each of a core's experts, or equal it. */
function counted(
  profile: Profile,
  each: number,
  which: "isBelow" | "isEqual",
  of: string,
  to = "begins",
): string {
  return lines(
    buffer(profile)("some", "f32", each, apart),
    "for i in 0 .. own {",
    `vector ${which} chosen[0 : 1, 0 : ${of}] -> other[0 : 1, 0 : ${of}] with low + i`,
    `vector sum other[0 : 1, 0 : ${of}] -> some[i, 0 : 1]`,
    "}",
    `vector add ${ofOwn(to)}, ${ofOwn("some")} -> ${ofOwn(to)}`,
  );
}

/** Counts those of a core's experts that are in parts before its own. */
const before = (profile: Profile, each: number): string =>
  lines(
    "let before = min(cols, max(0, from - c))",
    "for any in 0 .. min(1, before) {",
    counted(profile, each, "isEqual", "before", "earlier"),
    "}",
  );

/** Writes where the groups of a core begin, and whoever has the last of them where that ends. */
function writtenOffsets(profile: Profile, each: number, experts: number): string {
  const make = buffer(profile);
  return lines(
    make("first", "i32", each, apart),
    "vector copy begins[0 : own, 0 : 1] -> first[0 : own, 0 : 1]",
    "copy first[0 : own, 0 : 1] -> offsets[low : own] transposed",
    `if (low < ${experts}) * (low + own == ${experts}) {`,
    make("all", "i32", 1, 1),
    "vector fill -> all with slots",
    `copy all -> offsets[${experts} : 1]`,
    "}",
  );
}

/**
 * The places of a chunk's slots: those of a core's experts are brought together first, and of these each expert's; only then are they read, as nothing
 * is begun before what is read above it is there.
 */
function placed(profile: Profile, each: number, cols: number): string {
  const make = buffer(profile);
  return lines(
    make("among", "f32", 1, 1),
    make("within", "i32", 1, 1),
    `vector isBelow chosen${whole} -> other${whole} with low`,
    `vector isBelow chosen${whole} -> mask${whole} with low + own`,
    `vector sub mask${whole}, other${whole} -> mask${whole}`,
    `vector sum mask${whole} -> among`,
    "vector copy among -> within",
    `vector iota -> other${whole} with c`,
    `vector compress other${whole}, mask${whole} -> numbers${whole}`,
    `vector compress chosen${whole}, mask${whole} -> other${whole}`,
    "read among = within",
    "let kept = min(cols, among)",
    "for any in 0 .. min(1, kept) {",
    make("count", "f32", each, apart),
    make("next", "i32", each, apart),
    make("found", "i32", each, apart),
    make("kin", "i32", each, cols),
    "for i in 0 .. own {",
    `vector isEqual other${short} -> mask${short} with low + i`,
    `vector sum mask${short} -> count[i, 0 : 1]`,
    `vector compress numbers${short}, mask${short} -> chosen${short}`,
    `vector copy chosen${short} -> kin[i, 0 : kept]`,
    "}",
    `vector copy ${ofOwn("begins")} -> ${ofOwn("next")}`,
    `vector copy ${ofOwn("count")} -> ${ofOwn("found")}`,
    `vector add ${ofOwn("begins")}, ${ofOwn("count")} -> ${ofOwn("begins")}`,
    "for i in 0 .. own {",
    "read p = next[i, 0]",
    "read found = found[i, 0]",
    "let n = min(kept, found)",
    `for j in 0 .. n step ${few} {`,
    make("here", "i32", few, apart, 2),
    `let some = min(${few}, n - j)`,
    `vector adds upwards[0 : some, 0 : ${apart}] -> here[0 : some, 0 : ${apart}] with p + j`,
    "for r in 0 .. some {",
    "read slot = kin[i, j + r]",
    "copy here[r, 0 : 1] -> place[slot : 1]",
    "}",
    "}",
    "}",
    "}",
  );
}
