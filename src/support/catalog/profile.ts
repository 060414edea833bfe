import type { Message } from "../diagnostics.ts";

const schema =
  "docs/profile.schema.json has every field; `moec targets ascend-910b3 --json` prints a whole profile";

/** Faults of machine profiles. */
export const profileCatalog = {
  "profile/json": (why: string): Message => ({
    exit: "usage",
    message: `the profile is not JSON: ${why}`,
    hint: schema,
  }),
  "profile/field": (field: string, why: string): Message => ({
    exit: "usage",
    message: `${field === "" ? "the profile" : `${field} of the profile`} is wrong: ${why}`,
    hint: schema,
  }),
  "profile/name": (
    field: string,
    what: string,
    found: string,
    near: string | undefined,
    known: readonly string[],
  ): Message => ({
    exit: "usage",
    message: `${field} of the profile names the ${what} ${found === "" ? "(none)" : found}, which there is not`,
    hint: near === undefined ? `known here: ${known.join(", ") || "none"}` : `did you mean ${near}?`,
  }),
  "profile/twice": (list: string, name: string): Message => ({
    exit: "usage",
    message: `${list} of the profile has ${name} twice`,
  }),
  "profile/needs": (what: string): Message => ({
    exit: "usage",
    message: `the profile has no ${what}; every machine has one`,
    hint: schema,
  }),
  "profile/too-little": (field: string, found: number, needed: string): Message => ({
    exit: "capacity",
    message: `${field} of the profile gives ${found}; kernels need ${needed}`,
    hint: "moec has no kernels that do with less: give the profile more of it, if the chip has it",
  }),
  "profile/several": (field: string, core: string, found: number): Message => ({
    exit: "capacity",
    message: `${field} of the profile is ${found}; kernels need 1 ${core} core in a group, as it has the matrix unit`,
    hint: `make each ${core} core a group of its own, and of the others as many as belong to it`,
  }),
  "profile/unreachable": (space: string): Message => ({
    exit: "usage",
    message: `nothing comes to the space ${space} of the profile`,
    hint: "add a path to it, or leave it out",
  }),
} as const;
