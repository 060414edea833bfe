/**
 * The published form of a profile: every field of the machine model with its unit. The type, the checks of a user's
 * own profile and `docs/profile.schema.json` all come from here.
 */
import * as v from "valibot";
import { dtypeNames } from "../tensor/dtype.ts";
import { sourced } from "../support/figure.ts";
import { vectorWorkNames } from "./vector-work.ts";

const name = v.pipe(
  v.string(),
  v.regex(/^[a-z][a-z0-9-]*$/, "a name is of small letters, digits and dashes"),
  v.maxLength(64, "a name is of at most 64 letters"),
);
const dtype = v.picklist(dtypeNames);

/** Arrangements of a matrix in memory: row by row, or in fractals (outer order, then inner; N by columns, Z by rows). */
export const layoutNames = ["nd", "nz", "zz", "zn"] as const;
const layout = v.picklist(layoutNames);

const finite = v.pipe(v.number(), v.finite("must be finite"));
const positive = sourced(v.pipe(finite, v.gtValue(0, "must be above 0")));
const atLeastZero = sourced(v.pipe(finite, v.minValue(0, "must not be below 0")));
const share = sourced(v.pipe(finite, v.gtValue(0, "must be above 0"), v.maxValue(1, "must be at most 1")));
const count = sourced(v.pipe(v.number(), v.integer("must be whole"), v.minValue(1, "must be 1 or more")));
/** A count of what is gone through one by one. */
const few = sourced(
  v.pipe(
    v.number(),
    v.integer("must be whole"),
    v.minValue(1, "must be 1 or more"),
    v.maxValue(4096, "must be at most 4096"),
  ),
);
const countOrNone = sourced(
  v.pipe(v.number(), v.integer("must be whole"), v.minValue(0, "must not be below 0")),
);

const text = v.pipe(v.string(), v.minLength(1, "must not be empty"));
const object = <E extends v.ObjectEntries>(entries: E) => v.pipe(v.strictObject(entries), v.readonly());
const list = <S extends v.GenericSchema>(item: S) => v.pipe(v.array(item), v.readonly());
const told = <S extends v.GenericSchema>(schema: S, text: string) => v.pipe(schema, v.description(text));
const size = v.pipe(v.number(), v.integer("must be whole"), v.minValue(1, "must be 1 or more"));

const core = object({
  name,
  perGroup: told(few, "how many of them a group has"),
});

const space = object({
  name,
  scope: told(v.picklist(["chip", "core"]), "one for the chip, or one in each core of the kind `core`"),
  core: v.optional(name),
  bytes: told(count, "capacity, of one of them"),
  reserved: v.optional(told(countOrNone, "bytes of the capacity that kernels must leave alone")),
  align: told(count, "every buffer starts at a multiple of so many bytes"),
  layouts: told(v.pipe(list(layout), v.minLength(1, "must name one")), "how a matrix may lie in it"),
  fractal: v.optional(
    told(
      object({ rows: count, rowBytes: count }),
      "the block of the fractal layouts: its rows, and the bytes of a row",
    ),
  ),
  banks: v.optional(object({ groups: count, perGroup: count, bytes: count })),
});

const engine = object({
  name: told(name, "unique in its core"),
  core: name,
  queue: v.optional(told(count, "how many instructions may wait in it")),
});

const conversion = object({
  from: dtype,
  to: dtype,
  scale: v.optional(
    told(v.picklist(["tensor", "channel"]), "multiplied on the way, by one number or by one a column"),
  ),
});

const path = object({
  core: told(name, "the core whose engine copies"),
  engine: name,
  from: told(name, "a space"),
  to: told(name, "a space"),
  bytesPerCycle: told(positive, "of one engine, counted where they arrive, when nothing else is in the way"),
  elementsPerCycle: v.optional(
    told(positive, "elements that it takes at most, however few bytes each of them becomes"),
  ),
  startup: told(atLeastZero, "cycles an instruction takes the engine before bytes flow"),
  latency: v.optional(
    told(atLeastZero, "cycles until what an idle engine was asked for is there; the next copies overlap it"),
  ),
  efficientBytes: v.optional(told(count, "the smallest transfer that comes near the rate")),
  rowBytes: v.optional(told(count, "rows that are a multiple of it, and start at one, are fast")),
  pieceBytes: v.optional(
    told(
      count,
      "a shorter row takes a piece of so many bytes, or of twice, four times as many; else one of `rowBytes`",
    ),
  ),
  rearranging: v.optional(
    told(
      object({
        rowCycles: told(atLeastZero, "cycles that a row takes at least, however short"),
        coreBytesPerCycle: v.optional(
          told(positive, "what one core gets of the chip's memory at most, when others leave it alone"),
        ),
      }),
      "what holds up copies of what lies row by row at the source, where it comes to lie otherwise",
    ),
  ),
  layouts: told(
    list(v.strictTuple([layout, layout])),
    "what lies how at the source comes to lie how; empty: copied as it is",
  ),
  converts: v.optional(
    told(sourced(list(conversion)), "the changes of dtype that it makes; without it, none"),
  ),
});

const rate = object({
  a: dtype,
  b: dtype,
  acc: told(dtype, "what it accumulates in"),
  m: size,
  n: size,
  k: size,
  cycles: told(positive, "for one fragment of m x n x k multiply-adds"),
});

const matrix = object({
  core: name,
  engine: name,
  a: told(name, "the space of the left operand [m, k]"),
  b: told(name, "the space of the right operand [k, n]"),
  c: told(name, "the space of the accumulators [m, n]"),
  rates: v.pipe(list(rate), v.minLength(1, "must name one")),
  startup: told(atLeastZero, "cycles an instruction takes besides its fragments"),
});

const vector = object({
  core: name,
  engine: name,
  space: name,
  bytesPerCycle: told(positive, "of one operand, in the simplest work"),
  startup: told(atLeastZero, "cycles an instruction takes besides its elements"),
  dtypes: told(sourced(list(dtype)), "what it calculates in"),
  converts: told(sourced(list(object({ from: dtype, to: dtype }))), "its changes of dtype"),
  factors: told(
    object(v.entriesFromList(vectorWorkNames, positive)),
    "cycles that each kind of work takes for `bytesPerCycle` bytes of its widest operand",
  ),
});

const flags = object({
  perPair: told(count, "flags between one pair of engines of a core"),
  reserved: told(countOrNone, "how many of them kernels must leave alone"),
  cross: v.optional(
    told(
      object({ count, counterMax: told(count, "a flag counts up to this") }),
      "flags between the cores of a group",
    ),
  ),
});

const memory = object({
  capacity: told(count, "bytes"),
  bytesPerSecond: told(positive, "nominal, of the chip, reads and writes together"),
  sustained: told(share, "the share of it that long streams reach"),
  coreBytesPerCycle: v.optional(
    told(positive, "what one core gets of it at most, when others leave it alone"),
  ),
  l2Bytes: told(countOrNone, "capacity of the cache that all cores share"),
  l2BytesPerCycle: told(positive, "of that cache, all cores together"),
});

const energy = object({
  macs: told(
    list(object({ dtype, picojoules: atLeastZero })),
    "of one multiply-add, by dtype of the operands",
  ),
  accesses: told(
    list(object({ space: name, picojoules: atLeastZero })),
    "of one byte read or written; a copy pays at both ends",
  ),
  l2: told(atLeastZero, "picojoules of one byte that the shared cache serves instead of the memory"),
  vectorByte: told(atLeastZero, "picojoules of one byte of elementwise work"),
  watts: told(atLeastZero, "drawn when nothing happens"),
});

export const profileSchema = object({
  $schema: v.optional(v.string()),
  name,
  summary: text,
  vendor: text,
  clock: told(positive, "MHz of the cores; all cycles are of this clock"),
  groups: told(few, "core groups of the chip that kernels can use"),
  cores: v.pipe(list(core), v.minLength(1, "must name one")),
  spaces: list(space),
  engines: list(engine),
  paths: list(path),
  matrix,
  vector,
  flags,
  memory,
  launch: told(atLeastZero, "microseconds from one kernel's end to the next one's work"),
  energy,
});
