/**
 * How the ranks of a plan are laid out: a product of axes. Tensor ranks lie next to each other, then the ranks that share
 * experts, then pipeline stages, so that what talks most is nearest.
 */
import { fail } from "../support/diagnostics.ts";

/** The axes from the farthest apart to the nearest: pipeline stages, experts, tensors. */
export const axes = ["pp", "ep", "tp"] as const;
export type Axis = (typeof axes)[number];

/** How many ranks each axis has. */
export type Mesh = { readonly [A in Axis]: number };

/** Where a rank stands on each axis. */
export type Place = Mesh;

export const oneDevice: Mesh = { pp: 1, ep: 1, tp: 1 };

const most = 4096;
const expected = `axes joined by x, such as ep2, tp2xep4 or pp2xep2, of at most ${most} ranks`;

/** The mesh of a text such as `tp2xep4`. Throws `usage/value` for what is none. */
export function parseMesh(text: string): Mesh {
  const wrong = (): never =>
    fail("usage/value", { kind: "flag", flag: "--parallel" }, "--parallel", text, expected);
  const sizes: { [A in Axis]?: number } = {};
  for (const part of text.split("x")) {
    const [, name = "", size = ""] = /^([a-z]+)([1-9]\d{0,3})$/.exec(part) ?? [];
    const axis = axes.find((it) => it === name) ?? wrong();
    if (sizes[axis] !== undefined) wrong();
    sizes[axis] = Number(size);
  }
  const mesh = { ...oneDevice, ...sizes };
  return rankCount(mesh) <= most ? mesh : wrong();
}

/** A mesh as `parseMesh` reads it: the axes of more than one rank, or `tp1`. */
export const formatMesh = (mesh: Mesh): string =>
  axes
    .filter((axis) => mesh[axis] > 1)
    .map((axis) => `${axis}${mesh[axis]}`)
    .join("x") || "tp1";

export const rankCount = (mesh: Mesh): number => axes.reduce((n, axis) => n * mesh[axis], 1);

/** Where rank `rank` stands. */
export function placeOf({ ep, tp }: Mesh, rank: number): Place {
  return { pp: Math.floor(rank / (ep * tp)), ep: Math.floor(rank / tp) % ep, tp: rank % tp };
}

export const rankAt = (mesh: Mesh, { pp, ep, tp }: Place): number => (pp * mesh.ep + ep) * mesh.tp + tp;

/** The ranks that differ from the one at `place` on one axis only, itself among them, in order. */
export const groupAlong = (mesh: Mesh, place: Place, axis: Axis): readonly number[] =>
  Array.from({ length: mesh[axis] }, (_, i) => rankAt(mesh, { ...place, [axis]: i }));

/** Part `i` of `size` things cut into `parts` runs as equal as they come: begin and end. */
export const share = (size: number, parts: number, i: number): readonly [begin: number, end: number] => [
  Math.floor((size * i) / parts),
  Math.floor((size * (i + 1)) / parts),
];
