import type { Share } from "../plan/parts.ts";
import { BadValue } from "./command.ts";

/** A share as an option's value: `2/4` is the second of four. */
export function parseShare(text: string): Share {
  const [, part = 0, of = 0] = (/^(\d{1,5})\/(\d{1,5})$/.exec(text) ?? []).map(Number);
  if (part >= 1 && part <= of) return { part, of };
  throw new BadValue(`'${text}' is not I/N with I from 1 to N, such as 2/4`);
}
