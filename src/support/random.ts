/**
 * A small seeded generator, the same on every host: xoshiro128** of Blackman and Vigna ("Scrambled linear
 * pseudorandom number generators", 2021, https://prng.di.unimi.it/xoshiro128starstar.c), its state filled from
 * the seed by splitmix32 (the 32-bit form of Steele, Lea and Flood's SplitMix, 2014, with MurmurHash3's finisher).
 */
export type Random = {
  /** A uniform integer of 32 bits. */
  uint32(): number;
  /** A uniform number in [0, 1), with 53 random bits. */
  float(): number;
  /** A uniform integer in [0, n), for n up to 2^32. */
  below(n: number): number;
};

const rotl = (x: number, k: number): number => (x << k) | (x >>> (32 - k));

/** xoshiro128** from a given state, of which not all four words may be zero. */
export function xoshiro128(state: readonly [number, number, number, number]): Random {
  let [a, b, c, d] = state;
  const uint32 = (): number => {
    const result = Math.imul(rotl(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotl(d, 11);
    return result;
  };
  return {
    uint32,
    float: () => ((uint32() >>> 5) * 0x4000000 + (uint32() >>> 6)) / 0x20000000000000,
    below: (n) => {
      const limit = 0x100000000 - (0x100000000 % n); // reject what would favour small results
      let x = uint32();
      while (x >= limit) x = uint32();
      return x % n;
    },
  };
}

/** The generator of a seed; any integer will do. */
export function createRandom(seed: number): Random {
  let s = seed | 0;
  const next = (): number => {
    s = (s + 0x9e3779b9) | 0;
    let z = s;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) | 0;
  };
  return xoshiro128([next(), next(), next(), next()]);
}
