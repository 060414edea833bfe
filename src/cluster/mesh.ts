/**
 * How the ranks of a plan are laid out: a product of axes. Tensor ranks lie next to each other, then the ranks that share the
 * tokens of a sequence in its mixtures, then groups that have sequences of their own, then pipeline stages, so that what talks most
 * is nearest. Where there are such ranks or groups, all ranks of a stage share its experts, each holding some of them whole; ranks that
 * are tensor ranks and nothing else have columns of every expert.
 */
import { fail } from "../support/diagnostics.ts";

/** The axes from the farthest apart to the nearest: pipeline stages, groups of other sequences, experts, tensors. */
export const axes = ["pp", "dp", "ep", "tp"] as const;
export type Axis = (typeof axes)[number];

/** How many ranks each axis has. */
export type Mesh = { readonly [A in Axis]: number };

/** Where a rank stands on each axis. */
export type Place = Mesh;

export const oneDevice: Mesh = { pp: 1, dp: 1, ep: 1, tp: 1 };

const most = 4096;
const expected = `axes joined by x, such as ep2, tp2xep4 or pp2xdp2, of at most ${most} ranks`;

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
export function placeOf({ dp, ep, tp }: Mesh, rank: number): Place {
  const part = Math.floor(rank / tp);
  const group = Math.floor(part / ep);
  return { pp: Math.floor(group / dp), dp: group % dp, ep: part % ep, tp: rank % tp };
}

export const rankAt = (mesh: Mesh, { pp, dp, ep, tp }: Place): number =>
  ((pp * mesh.dp + dp) * mesh.ep + ep) * mesh.tp + tp;

/** The ranks that differ from the one at `place` on one axis only, itself among them, in order. */
export const groupAlong = (mesh: Mesh, place: Place, axis: Axis): readonly number[] =>
  Array.from({ length: mesh[axis] }, (_, i) => rankAt(mesh, { ...place, [axis]: i }));

/** Whether experts are held whole, each by some ranks, and tokens go where they are. */
const sharesExperts = ({ dp, ep }: Mesh): boolean => dp * ep > 1;

/** How many ranks share the experts of a stage: all of it, or 1 where none holds an expert that another does not. */
export const expertRanks = (mesh: Mesh): number => (sharesExperts(mesh) ? mesh.dp * mesh.ep * mesh.tp : 1);

/** The ranks that the one at `place` shares experts with, itself among them, in order. */
export const expertGroup = (mesh: Mesh, { pp, ...place }: Place): readonly number[] => {
  const first = rankAt(mesh, { pp, dp: 0, ep: 0, tp: 0 });
  return sharesExperts(mesh)
    ? Array.from({ length: expertRanks(mesh) }, (_, i) => first + i)
    : [rankAt(mesh, { pp, ...place })];
};

/** The ranks that share the tokens of a sequence in its mixtures with the one at `place`, itself among them, in order. */
export const tokenGroup = (mesh: Mesh, { pp, dp, ...place }: Place): readonly number[] => {
  const first = rankAt(mesh, { pp, dp, ep: 0, tp: 0 });
  return sharesExperts(mesh)
    ? Array.from({ length: mesh.ep * mesh.tp }, (_, i) => first + i)
    : [rankAt(mesh, { pp, dp, ...place })];
};

/** Part `i` of `size` things cut into `parts` runs as equal as they come: begin and end. */
export const share = (size: number, parts: number, i: number): readonly [begin: number, end: number] => [
  Math.floor((size * i) / parts),
  Math.floor((size * (i + 1)) / parts),
];
