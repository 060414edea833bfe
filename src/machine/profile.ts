/**
 * A device, as data. There is one machine model, and a profile is all that the schedule verifier, the simulator and
 * the tile search know of a chip. docs/machine.md tells the model in words.
 */
import * as v from "valibot";
import { CompileError, diag, fail, type Diagnostic } from "../support/diagnostics.ts";
import { nearest } from "../support/near.ts";
import { repeatedKey } from "../support/repeated-key.ts";
import { profileSchema } from "./schema.ts";

export type Profile = v.InferOutput<typeof profileSchema>;
export type Core = Profile["cores"][number];
export type Space = Profile["spaces"][number];
export type Engine = Profile["engines"][number];
export type Path = Profile["paths"][number];
export type MatrixRate = Profile["matrix"]["rates"][number];
export type Conversion = NonNullable<Path["converts"]>["value"][number];
export type Layout = Space["layouts"][number];

/** The space of the chip that tensors lie in. */
export const globalSpace = "gm";
/** The engine of every core that runs through its program and reads single numbers. */
export const scalarEngine = "scalar";

/**
 * A profile from its JSON text, checked field by field and for names that lead nowhere.
 * Throws every fault found: `profile/json`, `profile/field`, `profile/name`, `profile/twice`, `profile/needs`, `profile/unreachable`.
 */
export function parseProfile(text: string, file: string): Profile {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return fail(
      "profile/json",
      { kind: "file", file },
      error instanceof Error ? error.message : String(error),
    );
  }
  const repeated = repeatedKey(text);
  if (repeated !== undefined)
    return fail("profile/field", at(file, repeated), fieldOf(repeated), "it is given twice");
  const parsed = v.safeParse(profileSchema, json);
  if (!parsed.success)
    throw new CompileError(
      parsed.issues.map((issue) => {
        const pointer = `/${(issue.path ?? []).map((it) => String(it.key)).join("/")}`;
        return diag("profile/field", { kind: "json", file, pointer }, fieldOf(pointer), whyOf(issue));
      }),
    );
  const faults = faultsOf(parsed.output, file);
  if (faults.length > 0) throw new CompileError(faults);
  return parsed.output;
}

/** `/paths/3/engine` as people write it: `paths[3].engine`. */
export const fieldOf = (pointer: string): string =>
  pointer
    .slice(1)
    .replace(/\/(\d+)(?=\/|$)/g, "[$1]")
    .replaceAll("/", ".");

/** What is wrong with a field: that it is missing or unknown, else what was expected and what was found. */
function whyOf({ type, message, expected, received }: v.BaseIssue<unknown>): string {
  if (type === "strict_object" && expected === "never") return "there is no such field";
  if (type === "strict_object" && received === "undefined") return "it is missing";
  const found = received.length > 60 ? `${received.slice(0, 60)}…` : received;
  return `${message.startsWith("Invalid ") ? `expected ${expected}` : message}, found ${found}`;
}

/** What the schema cannot say: names that must exist, be the only one, or be reached, and what no machine is without. */
export function faultsOf(profile: Profile, file: string): readonly Diagnostic[] {
  return [
    ...repeatedNames(profile, file),
    ...missingNames(profile, file),
    ...needs(profile, file),
    ...reservedWhole(profile, file),
    ...otherCapacity(profile, file),
    ...unreached(profile, file),
  ];
}

const at = (file: string, pointer: string) => ({ kind: "json", file, pointer }) as const;

function repeatedNames({ cores, spaces, engines, paths }: Profile, file: string): Diagnostic[] {
  const repeated = (list: string, names: readonly string[]) =>
    names.flatMap((name, i) =>
      names.indexOf(name) < i ? [diag("profile/twice", at(file, `/${list}/${i}`), list, name)] : [],
    );
  return [
    ...repeated("cores", cores.map((it) => it.name)),
    ...repeated("spaces", spaces.map((it) => it.name)),
    ...repeated("engines", engines.map((it) => `${it.core}.${it.name}`)),
    ...repeated("paths", paths.map((it) => `${it.from} to ${it.to}`)),
  ]; // prettier-ignore
}

type Reference = {
  readonly pointer: string;
  readonly what: string;
  readonly found: string;
  readonly known: readonly string[];
};

function missingNames(profile: Profile, file: string): Diagnostic[] {
  const { cores, spaces, engines, paths, matrix, vector, energy } = profile;
  const core = (pointer: string, found: string): Reference => ({ pointer, what: "core", found, known: cores.map((it) => it.name) }); // prettier-ignore
  const space = (pointer: string, found: string): Reference => ({ pointer, what: "space", found, known: spaces.map((it) => it.name) }); // prettier-ignore
  const worker = (pointer: string, it: { readonly core: string; readonly engine: string }): Reference[] => {
    const known = engines.filter((e) => e.core === it.core).map((e) => e.name);
    return [
      core(`${pointer}/core`, it.core),
      { pointer: `${pointer}/engine`, what: "engine", found: it.engine, known },
    ];
  };
  const references: Reference[] = [
    ...spaces.flatMap((it, i) => (it.scope === "core" ? [core(`/spaces/${i}/core`, it.core ?? "")] : [])),
    ...engines.map((it, i) => core(`/engines/${i}/core`, it.core)),
    ...paths.flatMap((it, i) => [
      ...worker(`/paths/${i}`, it),
      space(`/paths/${i}/from`, it.from),
      space(`/paths/${i}/to`, it.to),
    ]),
    ...worker("/matrix", matrix),
    ...(["a", "b", "c"] as const).map((it) => space(`/matrix/${it}`, matrix[it])),
    ...worker("/vector", vector),
    space("/vector/space", vector.space),
    ...energy.accesses.map((it, i) => space(`/energy/accesses/${i}/space`, it.space)),
  ];
  return references
    .filter(({ found, known }) => !known.includes(found))
    .map(({ pointer, what, found, known }) =>
      diag("profile/name", at(file, pointer), fieldOf(pointer), what, found, nearest(found, known), known),
    );
}

/** What every machine has. */
function needs({ spaces, cores, engines }: Profile, file: string): Diagnostic[] {
  const global = spaces.some((it) => it.scope === "chip" && it.name === globalSpace);
  return [
    ...(global ? [] : [diag("profile/needs", at(file, "/spaces"), `space ${globalSpace} of the chip`)]),
    ...cores.flatMap(({ name }, i) =>
      engines.some((it) => it.core === name && it.name === scalarEngine)
        ? []
        : [diag("profile/needs", at(file, `/cores/${i}`), `engine ${scalarEngine} in the core ${name}`)],
    ),
  ];
}

/** Spaces of which nothing is left for buffers, and flags of which none is left for kernels. */
function reservedWhole({ spaces, flags: { perPair, reserved } }: Profile, file: string): Diagnostic[] {
  const wrong = (pointer: string, limit: string, found: number): Diagnostic =>
    diag("profile/field", at(file, pointer), fieldOf(pointer), `must be less than the ${limit}, found ${found}`); // prettier-ignore
  const ofSpaces = spaces.flatMap((it, i) => {
    const found = it.reserved?.value ?? 0;
    return found < it.bytes.value ? [] : [wrong(`/spaces/${i}/reserved/value`, `${it.bytes.value} bytes of the space`, found)]; // prettier-ignore
  });
  const areLeft = reserved.value < perPair.value;
  return areLeft ? ofSpaces : [...ofSpaces, wrong("/flags/reserved/value", `${perPair.value} of flags.perPair`, reserved.value)]; // prettier-ignore
}

/** The chip's memory, told as a space and as a memory, is as large in both places. */
function otherCapacity({ spaces, memory: { capacity } }: Profile, file: string): Diagnostic[] {
  const i = spaces.findIndex((it) => it.name === globalSpace);
  const bytes = spaces[i]?.bytes.value ?? capacity.value;
  if (bytes === capacity.value) return [];
  const pointer = "/memory/capacity/value";
  return [diag("profile/field", at(file, pointer), fieldOf(pointer), `must be the ${bytes} of spaces[${i}].bytes, found ${capacity.value}`)]; // prettier-ignore
}

/** Spaces that nothing from the chip's memory comes to: no copy, and no matrix work. */
function unreached({ spaces, paths, matrix }: Profile, file: string): Diagnostic[] {
  const steps: readonly (readonly [string, string])[] = [
    ...paths.map((it) => [it.from, it.to] as const),
    [matrix.a, matrix.c],
  ];
  const reached = new Set(spaces.filter((it) => it.scope === "chip").map((it) => it.name));
  for (let before = -1; before < reached.size;) {
    before = reached.size;
    for (const [from, to] of steps) if (reached.has(from)) reached.add(to);
  }
  return spaces.flatMap((it, i) =>
    reached.has(it.name) ? [] : [diag("profile/unreachable", at(file, `/spaces/${i}`), it.name)],
  );
}
