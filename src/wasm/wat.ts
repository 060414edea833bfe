/** A few words for writing WebAssembly text. Everything is an i32 local unless it says otherwise. */
export const get = (name: string): string => `(local.get $${name})`;
export const set = (name: string, value: string): string => `(local.set $${name} ${value})`;
export const i32 = (n: number): string => `(i32.const ${n})`;
export const f32 = (x: number): string => `(f32.const ${watFloat(Math.fround(x))})`;
export const add = (...terms: readonly string[]): string => terms.reduce((a, b) => `(i32.add ${a} ${b})`);
export const sub = (a: string, b: string): string => `(i32.sub ${a} ${b})`;
export const mul = (a: string, n: number): string => (n === 1 ? a : `(i32.mul ${a} ${i32(n)})`);
export const splat = (x: string): string => `(f32x4.splat ${x})`;
export const zero4 = "(v128.const f32x4 0 0 0 0)";
export const lanes = [0, 1, 2, 3] as const;

export const watFloat = (x: number): string =>
  Number.isFinite(x) ? String(x) : x > 0 ? "inf" : x < 0 ? "-inf" : "nan";

export const vload = (address: string, offset = 0): string =>
  `(v128.load offset=${offset} align=4 ${address})`;
export const vsplat = (address: string, offset = 0): string =>
  `(v128.load32_splat offset=${offset} ${address})`;
export const vstore = (address: string, value: string, offset = 0): string =>
  `(v128.store offset=${offset} align=4 ${address} ${value})`;
/** The first one to three floats of a vector, zeros behind them. */
export const vloadFirst = (address: string, offset: number, count: number): string =>
  count === 1
    ? `(v128.load32_zero offset=${offset} align=4 ${address})`
    : count === 2
      ? `(v128.load64_zero offset=${offset} align=4 ${address})`
      : `(f32x4.replace_lane 2 ${vloadFirst(address, offset, 2)} ${fload(address, offset + 8)})`;
export const fload = (address: string, offset = 0): string => `(f32.load offset=${offset} ${address})`;
export const fstore = (address: string, value: string, offset = 0): string =>
  `(f32.store offset=${offset} ${address} ${value})`;
export const vadd = (a: string, b: string): string => `(f32x4.add ${a} ${b})`;
export const vmul = (a: string, b: string): string => `(f32x4.mul ${a} ${b})`;
export const lane = (v: string, i: number): string => `(f32x4.extract_lane ${i} ${v})`;
/** Four of the lanes of two vectors: 0 to 3 are the first's, 4 to 7 the second's. */
export const shuffle = (order: readonly number[], a: string, b: string): string =>
  `(i8x16.shuffle ${order.flatMap((w) => lanes.map((byte) => w * 4 + byte)).join(" ")} ${a} ${b})`;
/** The sum of four lanes, pairwise. */
export const sum4 = (v: string): string =>
  `(f32.add (f32.add ${lane(v, 0)} ${lane(v, 1)}) (f32.add ${lane(v, 2)} ${lane(v, 3)}))`;
export const max4 = (v: string): string =>
  `(f32.max (f32.max ${lane(v, 0)} ${lane(v, 1)}) (f32.max ${lane(v, 2)} ${lane(v, 3)}))`;

/** for (i = from; i < to; i += step) body */
export const loop = (i: string, from: string, to: string, step: number, body: string): string =>
  `${set(i, from)} (block $end_${i} (loop $top_${i} (br_if $end_${i} (i32.ge_s ${get(i)} ${to})) ${body} ${set(i, add(get(i), i32(step)))} (br $top_${i})))`;

export const when = (condition: string, body: string): string => `(if ${condition} (then ${body}))`;

export type Locals = {
  readonly i32?: readonly string[];
  readonly f32?: readonly string[];
  readonly f64?: readonly string[];
  readonly v128?: readonly string[];
};

const declare = (locals: Locals): string =>
  (["i32", "f32", "f64", "v128"] as const)
    .flatMap((type) => (locals[type] ?? []).map((name) => `(local $${name} ${type})`))
    .join(" ");

const params = (names: readonly string[]): string => names.map((name) => `(param $${name} i32)`).join(" ");

/** An exported kernel: i32 parameters, the last two its share `begin`, `end` of the work. */
export const kernel = (name: string, args: readonly string[], locals: Locals, body: string): string =>
  `(func $${name} (export "${name}") ${params([...args, "begin", "end"])} ${declare(locals)} ${body})`;

/** A function kernels call; i32 parameters. */
export const helper = (name: string, args: readonly string[], locals: Locals, body: string): string =>
  `(func $${name} ${params(args)} ${declare(locals)} ${body})`;

/** A loop over `n` consecutive floats: four at a time, then one by one. `i` counts bytes. */
export const elements = (i: string, n: number, four: string, one: string): string => {
  const whole = n - (n % 4);
  const vector = whole ? loop(i, i32(0), i32(whole * 4), 16, four) : set(i, i32(0));
  return n % 4 ? `${vector} ${loop(i, i32(whole * 4), i32(n * 4), 4, one)}` : vector;
};
