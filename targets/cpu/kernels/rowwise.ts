import { silu } from "./math.ts";
import type { Spec } from "./spec.ts";
import { sumLocals, sumRow } from "./sums.ts";
import {
  add,
  elements,
  f32,
  fload,
  fstore,
  get,
  i32,
  kernel,
  lane,
  loop,
  mul,
  set,
  splat,
  vadd,
  vload,
  vloadFirst,
  vmul,
  vsplat,
  vstore,
  when,
} from "../../../src/wasm/wat.ts";

/** Kernels that treat each row on its own. Units are rows. */

/** A loop over this thread's rows; each name in `strides` gets its row's address under `<name>r`. */
function eachRow(strides: Readonly<Record<string, number>>, body: string): string {
  const places = Object.entries(strides).map(([name, ld]) =>
    set(`${name}r`, add(get(name), mul(get("s"), ld * 4))),
  );
  return loop("s", get("begin"), get("end"), 1, `${places.join(" ")} ${body}`);
}

const rowLocals = (names: readonly string[]) => ["s", "i", ...names.map((name) => `${name}r`)];
const at = (name: string): string => add(get(`${name}r`), get("i"));

/** out[i] = f(a[i], …) over one row; `f` takes vectors of four. */
function mapRow(n: number, inputs: readonly string[], f: (...xs: readonly string[]) => string): string {
  return elements(
    "i",
    n,
    vstore(at("out"), f(...inputs.map((name) => vload(at(name))))),
    fstore(at("out"), lane(f(...inputs.map((name) => splat(fload(at(name))))), 0)),
  );
}

export function binary(name: string, s: Spec<"add" | "mul">): string {
  const f = s.kind === "add" ? vadd : vmul;
  const body = eachRow(
    { a: s.lda, b: s.ldb, out: s.ldo },
    mapRow(s.n, ["a", "b"], (a = "", b = "") => f(a, b)),
  );
  return kernel(name, ["a", "b", "out", "S"], { i32: rowLocals(["a", "b", "out"]) }, body);
}

export function siluRows(name: string, s: Spec<"silu">): string {
  const body = eachRow(
    { x: s.ldx, out: s.ldo },
    mapRow(s.n, ["x"], (x = "") => silu(x)),
  );
  return kernel(name, ["x", "out", "S"], { i32: rowLocals(["x", "out"]) }, body);
}

export function swiglu(name: string, s: Spec<"swiglu">): string {
  const body = eachRow(
    { gate: s.ldg, up: s.ldu, out: s.ldo },
    mapRow(s.n, ["gate", "up"], (gate = "", up = "") => vmul(silu(gate), up)),
  );
  return kernel(name, ["gate", "up", "out", "S"], { i32: rowLocals(["gate", "up", "out"]) }, body);
}

type Heads = {
  readonly heads: number;
  readonly ldx: number;
  readonly headStrideX: number;
  readonly ldo: number;
  readonly headStrideOut: number;
};

/** A loop over the heads of this thread's rows: `xr` and `outr` are a head's addresses. */
function eachHead(s: Heads, body: string): string {
  const place = (name: string, ld: number, headStride: number) =>
    set(`${name}r`, add(get(name), mul(get("s"), ld * 4), mul(get("h"), headStride * 4)));
  const places = `${place("x", s.ldx, s.headStrideX)} ${place("out", s.ldo, s.headStrideOut)}`;
  return loop("s", get("begin"), get("end"), 1, loop("h", i32(0), i32(s.heads), 1, `${places} ${body}`));
}

export function copy(name: string, s: Spec<"copy">): string {
  const body = eachHead(s, `(memory.copy ${get("outr")} ${get("xr")} ${i32(s.n * 4)})`);
  return kernel(name, ["x", "out", "S"], { i32: [...rowLocals(["x", "out"]), "h"] }, body);
}

/** Rows of a row-major table by id, widened to float32. */
export function embed(name: string, s: Spec<"embed">): string {
  const width = s.weight === "bf16" ? 2 : 4;
  const one =
    s.weight === "f32"
      ? fload(add(get("tr"), get("i")))
      : `(f32.reinterpret_i32 (i32.shl (i32.load16_u ${add(get("tr"), `(i32.shr_u ${get("i")} ${i32(1)})`)}) ${i32(16)}))`;
  const body = eachRow(
    { out: s.n },
    [
      set("tr", add(get("table"), mul(`(i32.load ${add(get("ids"), mul(get("s"), 4))})`, s.n * width))),
      loop("i", i32(0), i32(s.n * 4), 4, fstore(at("out"), one)),
    ].join(" "),
  );
  return kernel(name, ["table", "ids", "out", "S"], { i32: [...rowLocals(["out"]), "tr"] }, body);
}

/** The scale 1 / sqrt(mean(x^2) + eps) of row `x` into v128 local `scale`. */
function rowScale(x: string, n: number, eps: number): string {
  const squared = (v: string): string => `(f32x4.mul (local.tee $v ${v}) ${get("v")})`;
  return [
    sumRow(
      "sum",
      n,
      (offset) => squared(vload(at(x), offset)),
      (offset, count) => squared(vloadFirst(at(x), offset, count)),
    ),
    set(
      "scale",
      splat(`(f32.div (f32.const 1) (f32.sqrt (f32.add (f32.mul ${get("sum")} ${f32(1 / n)}) ${f32(eps)})))`),
    ),
  ].join(" ");
}

function normRow(x: string, n: number): string {
  return elements(
    "i",
    n,
    vstore(at("out"), vmul(vload(add(get("gain"), get("i"))), vmul(vload(at(x)), get("scale")))),
    fstore(
      at("out"),
      `(f32.mul ${fload(add(get("gain"), get("i")))} (f32.mul ${fload(at(x))} ${lane(get("scale"), 0)}))`,
    ),
  );
}

const normLocals = { f32: ["sum"], v128: ["v", "scale", ...sumLocals] };

export function rmsNorm(name: string, s: Spec<"rmsNorm">): string {
  const body = eachHead(s, `${rowScale("x", s.n, s.eps)} ${normRow("x", s.n)}`);
  return kernel(
    name,
    ["x", "gain", "out", "S"],
    { i32: [...rowLocals(["x", "out"]), "h"], ...normLocals },
    body,
  );
}

export function addRmsNorm(name: string, s: Spec<"addRmsNorm">): string {
  const sum = elements(
    "i",
    s.n,
    vstore(at("total"), vadd(vload(at("x")), vload(at("residual")))),
    fstore(at("total"), `(f32.add ${fload(at("x"))} ${fload(at("residual"))})`),
  );
  const body = eachRow(
    { x: s.lda, residual: s.ldb, total: s.n, out: s.n },
    `${sum} ${rowScale("total", s.n, s.eps)} ${normRow("total", s.n)}`,
  );
  return kernel(
    name,
    ["x", "residual", "gain", "total", "out", "S"],
    { i32: rowLocals(["x", "residual", "total", "out"]), ...normLocals },
    body,
  );
}

/** Each pair of a head turns by position * invFreq; cos and sin are worked out once for all heads. */
export function rope(name: string, s: Spec<"rope">): string {
  const [first, second] = s.interleaved
    ? [mul(get("j"), 8), add(mul(get("j"), 8), i32(4))]
    : [mul(get("j"), 4), add(mul(get("j"), 4), i32(s.dim * 2))];
  const turn = (side: string, offset: string) => add(get(side), offset);
  const heads = loop(
    "h",
    i32(0),
    i32(s.heads),
    1,
    [
      set("xh", add(get("xr"), mul(get("h"), s.headStrideX * 4))),
      set("oh", add(get("outr"), mul(get("h"), s.headStrideOut * 4))),
      set("a", fload(turn("xh", first))),
      set("b", fload(turn("xh", second))),
      fstore(
        turn("oh", first),
        `(f32.sub (f32.mul ${get("a")} ${get("cos")}) (f32.mul ${get("b")} ${get("sin")}))`,
      ),
      fstore(
        turn("oh", second),
        `(f32.add (f32.mul ${get("b")} ${get("cos")}) (f32.mul ${get("a")} ${get("sin")}))`,
      ),
    ].join(" "),
  );
  const angle = `(f64.promote_f32 (f32.mul (f32.convert_i32_s (i32.load ${add(get("positions"), mul(get("s"), 4))})) ${fload(add(get("invFreq"), mul(get("j"), 4)))}))`;
  const pairs = loop(
    "j",
    i32(0),
    i32(s.dim / 2),
    1,
    [
      `(call $sincos ${angle}) (local.set $c64) (local.set $s64)`,
      set("cos", `(f32.demote_f64 (f64.mul ${get("c64")} (f64.const ${s.scale})))`),
      set("sin", `(f32.demote_f64 (f64.mul ${get("s64")} (f64.const ${s.scale})))`),
      heads,
    ].join(" "),
  );
  return kernel(
    name,
    ["x", "positions", "invFreq", "out", "S"],
    {
      i32: [...rowLocals(["x", "out"]), "j", "h", "xh", "oh"],
      f32: ["a", "b", "cos", "sin"],
      f64: ["c64", "s64"],
    },
    eachRow({ x: s.ldx, out: s.ldo }, pairs),
  );
}

/** out[s] = Σ weights[s,k] * shares[s*k], in order of k, over those whose index is not negative. */
export function combine(name: string, s: Spec<"combine">): string {
  const slot = mul(add(mul(get("s"), s.k), get("k")), 4);
  const addShare = [
    set("weight", vsplat(add(get("weights"), slot))),
    elements(
      "i",
      s.n,
      vstore(at("out"), vadd(vload(at("out")), vmul(get("weight"), vload(at("share"))))),
      fstore(
        at("out"),
        `(f32.add ${fload(at("out"))} (f32.mul ${lane(get("weight"), 0)} ${fload(at("share"))}))`,
      ),
    ),
  ].join(" ");
  const body = eachRow(
    { out: s.n },
    [
      set("sharer", add(get("shares"), mul(get("s"), s.k * s.n * 4))),
      `(memory.fill ${get("outr")} (i32.const 0) ${i32(s.n * 4)})`,
      loop(
        "k",
        i32(0),
        i32(s.k),
        1,
        [
          when(`(i32.ge_s (i32.load ${add(get("indices"), slot)}) (i32.const 0))`, addShare),
          set("sharer", add(get("sharer"), i32(s.n * 4))),
        ].join(" "),
      ),
    ].join(" "),
  );
  return kernel(
    name,
    ["shares", "indices", "weights", "out", "S"],
    { i32: [...rowLocals(["out"]), "k", "sharer"], v128: ["weight"] },
    body,
  );
}
