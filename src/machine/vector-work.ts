/** The kinds of work a vector engine is timed by. Every operator on vectors is made of these. */
export const vectorWork = {
  elementwise: "add, multiply, compare, select: one instruction over all operands",
  convert: "a change of dtype",
  divide: "division, square root and its reciprocal",
  transcendental: "exp and what is made of it",
  reduce: "sum or maximum along a row",
  gather: "elements picked by an index",
  sort: "one step of a merge sort, over pairs of value and index",
} as const;
export type VectorWork = keyof typeof vectorWork;
export const vectorWorkNames = Object.keys(vectorWork) as VectorWork[]; // Object.keys forgets the key type
