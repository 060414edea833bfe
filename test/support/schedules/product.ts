/** A product of matrices as a schedule: the smallest kernel with all engines of a cube core at work. */
export type Tile = { readonly m: number; readonly n: number; readonly k: number; readonly step: number };

/** The text of c = a w^T on one Ascend chip, in tiles. */
export const productText = (k: number, n: number, tile: Tile): string => `kernel product for ascend-910b3
size S
tensor a: bf16[S, ${k}] in
tensor w: bf16[${n}, ${k}] nz in
tensor c: f32[S, ${n}] out
on cube {
  let down = ceil(S, ${tile.m})
  for t in group .. down * ${Math.ceil(n / tile.n)} step groups {
    let m = t mod down * ${tile.m}
    let n = t / down * ${tile.n}
    let rows = min(${tile.m}, S - m)
    let cols = min(${tile.n}, ${n} - n)
    buffer acc: l0c f32[${tile.m}, ${tile.n}]
    for k in 0 .. ${k} step ${tile.k} {
      let depth = min(${tile.k}, ${k} - k)
      buffer a1: l1 bf16[${tile.m}, ${tile.k}] x2
      buffer w1: l1 bf16[${tile.n}, ${tile.k}] x2
      copy a[m : rows, k : depth] -> a1[0 : rows, 0 : depth]
      copy w[n : cols, k : depth] -> w1[0 : cols, 0 : depth]
      for j in 0 .. depth step ${tile.step} {
        let d = min(${tile.step}, depth - j)
        buffer a0: l0a bf16[${tile.m}, ${tile.step}] x2
        buffer w0: l0b bf16[${tile.n}, ${tile.step}] x2
        copy a1[0 : rows, j : d] -> a0[0 : rows, 0 : d]
        copy w1[0 : cols, j : d] -> w0[0 : cols, 0 : d]
        matmul a0[0 : rows, 0 : d], w0[0 : cols, 0 : d] -> acc[0 : rows, 0 : cols] first k + j == 0
      }
    }
    copy acc[0 : rows, 0 : cols] -> c[m : rows, n : cols]
  }
}
`;
