/** How long copies take, by hand: rows that become fractals, short rows, what the memory and the cache give one after the other. */
import { describe, expect, test } from "vitest";
import { parseProfile, type Profile } from "../../../src/machine/profile.ts";
import { pathBetween, roomOf } from "../../../src/machine/rates.ts";
import { insertFlags } from "../../../src/machine/schedule/flags.ts";
import { parseKernel } from "../../../src/machine/schedule/parser.ts";
import { time } from "../../../src/machine/simulate/time.ts";
import { ascend910b3 } from "../../../targets/ascend/profiles/910.ts";

const path = (profile: Profile) => {
  const found = pathBetween(profile, "gm", "l1");
  if (!found) throw new Error("a 910B3 copies to L1");
  return found;
};

/** Cycles in which one group copies so many boxes of 64 rows of f16, in loops around those over the boxes. */
function copies(
  profile: Profile,
  columns: number,
  boxes: number,
  layout: "" | "nz",
  around = "for t in group .. 1 step groups",
): number {
  const text = `kernel copies for ${profile.name}
    size S
    tensor x: f16[S, ${boxes * columns}] ${layout} in
    on cube {
      ${around} {
        for n in 0 .. ${boxes} {
          buffer tile: l1 f16[64, ${columns}]
          copy x[0 : 64, n * ${columns} : ${columns}] -> tile
        }
      }${around.includes("{") ? "}" : ""}
    }`;
  return time(insertFlags(parseKernel(text), profile), profile, { sizes: new Map([["S", 64]]) }).cycles;
}

describe("copies of a 910B3", () => {
  const { bytesPerCycle, startup, latency, rearranging, rowBytes, pieceBytes } = path(ascend910b3);
  const alone = ascend910b3.memory.coreBytesPerCycle?.value ?? 0;
  const head = latency?.value ?? 0;

  test("of one core take in what it gets of the memory, more of what lies in fractals", () => {
    const bytes = 64 * 512 * 2 * 20;
    const ofRows = rearranging?.coreBytesPerCycle?.value ?? 0;
    expect(copies(ascend910b3, 512, 20, "")).toBeCloseTo(head + bytes / ofRows, -2);
    expect(copies(ascend910b3, 512, 20, "nz")).toBeCloseTo(head + bytes / alone, -2);
  });

  test.each([
    ["turns", "for t in group * 4 .. 4"],
    ["loops in a turn", "for t in group .. 1 step groups { for again in 0 .. 4"],
  ])("that come back in later %s find in the cache what the first have brought there", (_, around) => {
    const bytes = 64 * 512 * 2 * 20;
    const cached = 20 * startup.value + bytes / bytesPerCycle.value;
    expect(copies(ascend910b3, 512, 20, "nz", around)).toBeCloseTo(head + bytes / alone + 3 * cached, -2); // prettier-ignore
  });

  test("of short rows take so many cycles a row", () => {
    const each = startup.value + 64 * (rearranging?.rowCycles.value ?? 0);
    expect(copies(ascend910b3, 16, 40, "")).toBeCloseTo(40 * each + head, 0);
  });

  test("take rows in pieces of 128 bytes, then in whole units of 512", () => {
    expect([rowBytes?.value, pieceBytes?.value]).toEqual([512, 128]);
    expect([2, 128, 130, 300, 512, 514].map((it) => roomOf(path(ascend910b3), it))).toEqual([128, 128, 256, 512, 512, 1024]); // prettier-ignore
  });

  test("into fractals take a piece for the few rows that a core has, wherever one begins", () => {
    const store = (rows: number, layout: "" | "nz"): number => {
      const text = `kernel stores for ascend-910b3
        size S
        tensor x: bf16[S, 4096] ${layout} out
        on vector {
          for t in group .. 1 step groups {
            buffer rows: ub bf16[${rows}, 4096]
            vector fill -> rows with 0
            copy rows -> x[0 : ${rows}, 0 : 4096]
          }
        }`;
      const { busy } = time(insertFlags(parseKernel(text), ascend910b3), ascend910b3, { sizes: new Map([["S", 96]]) }); // prettier-ignore
      return (busy.get("vector.mte3") ?? 0) - (pathBetween(ascend910b3, "ub", "gm")?.startup.value ?? 0);
    };
    expect(store(4, "nz")).toBeCloseTo(store(4, ""), 6);
    expect(store(1, "nz")).toBeCloseTo(4 * store(1, ""), 6);
  });

  test("of a profile without these figures are as quick as its path", () => {
    const plain = {
      ...ascend910b3,
      name: "plain",
      paths: ascend910b3.paths.map(({ rearranging: _, pieceBytes: __, ...it }) => it),
    };
    const own = parseProfile(JSON.stringify(plain), "chip.json");
    expect(copies(own, 512, 20, "")).toBe(copies(own, 512, 20, "nz"));
  });
});
