import { fail } from "../../support/diagnostics.ts";
import type { RawConfig, RawRotary } from "./raw-config.ts";

/** What rotary embedding needs: one inverse frequency a pair, the factor on cos and sin, and the factor on the scores. */
export type Rotary = {
  readonly type: string;
  readonly invFreq: readonly number[];
  readonly cosScale: number;
  readonly scoreScale: number;
};

/** Both config dialects as one record; transformers 5's wins where a file has both. */
function settings(raw: RawConfig): RawRotary & { theta: number; type: string } {
  const rope: RawRotary = raw.rope_parameters ?? raw.rope_scaling ?? {};
  return {
    ...rope,
    theta: rope.rope_theta ?? raw.rope_theta ?? 10000,
    type: rope.rope_type ?? rope.type ?? "default",
  };
}

const plain = (theta: number, dim: number): number[] =>
  Array.from({ length: dim / 2 }, (_, j) => theta ** ((-2 * j) / dim));

/** YaRN's magnitude correction (Peng et al. 2023, eq. 22, as DeepSeek parameterizes it). */
const magnitude = (factor: number, m: number): number => (factor <= 1 ? 1 : 0.1 * m * Math.log(factor) + 1);

/** YaRN: long wavelengths are interpolated, short ones kept, a ramp between (Peng et al. 2023, section 3.2). */
function yarn(s: RawRotary & { theta: number }, dim: number, factor: number, original: number): number[] {
  const boundary = (turns: number) =>
    (dim * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(s.theta));
  const whole = s.truncate !== false;
  const fast = boundary(s.beta_fast ?? 32);
  const slow = boundary(s.beta_slow ?? 1);
  const low = Math.max(whole ? Math.floor(fast) : fast, 0);
  let high = Math.min(whole ? Math.ceil(slow) : slow, dim - 1);
  if (low === high) high += 0.001;
  return plain(s.theta, dim).map((f, j) => {
    const ramp = Math.min(Math.max((j - low) / (high - low), 0), 1);
    return (f / factor) * ramp + f * (1 - ramp);
  });
}

/** Llama 3.1's scheme: by wavelength against the original context, with a smooth band between. */
function llama3(s: RawRotary & { theta: number }, dim: number, factor: number, original: number): number[] {
  const lowFactor = s.low_freq_factor ?? 1;
  const highFactor = s.high_freq_factor ?? 4;
  return plain(s.theta, dim).map((f) => {
    const wavelength = (2 * Math.PI) / f;
    if (wavelength < original / highFactor) return f;
    if (wavelength > original / lowFactor) return f / factor;
    const smooth = (original / wavelength - lowFactor) / (highFactor - lowFactor);
    return ((1 - smooth) * f) / factor + smooth * f;
  });
}

/** Work out the rotary embedding of a config for `dim` rotated elements a head. */
export function rotaryOf(raw: RawConfig, dim: number, file: string): Rotary {
  const s = settings(raw);
  const bad = (why: string): never =>
    fail(
      "checkpoint/config",
      { kind: "json", file, pointer: raw.rope_parameters ? "/rope_parameters" : "/rope_scaling" },
      why,
    );
  if (dim % 2) bad(`${dim} rotary elements a head cannot be paired`);
  if (s.partial_rotary_factor != null && s.partial_rotary_factor !== 1)
    bad("a partial rotary embedding is not supported");
  const original = s.original_max_position_embeddings ?? raw.max_position_embeddings ?? 2048;
  const factor = s.factor ?? (raw.max_position_embeddings ?? original) / original;
  const unscaled = { type: s.type, cosScale: 1, scoreScale: 1 };
  switch (s.type) {
    case "default":
      return { ...unscaled, invFreq: plain(s.theta, dim) };
    case "linear":
      return { ...unscaled, invFreq: plain(s.theta, dim).map((f) => f / factor) };
    case "llama3":
      return { ...unscaled, invFreq: llama3(s, dim, factor, original) };
    case "yarn": {
      const both = s.mscale && s.mscale_all_dim;
      const ratio = both
        ? magnitude(factor, s.mscale ?? 1) / magnitude(factor, s.mscale_all_dim ?? 1)
        : magnitude(factor, 1);
      return {
        type: s.type,
        invFreq: yarn(s, dim, factor, original),
        cosScale: s.attention_factor ?? ratio,
        scoreScale: s.mscale_all_dim ? magnitude(factor, s.mscale_all_dim) ** 2 : 1,
      };
    }
    default:
      return bad(`rotary scaling "${s.type}" is not supported; known: default, linear, llama3, yarn`);
  }
}
