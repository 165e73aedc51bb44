/**
 * Weights [KH, KW, C, O] of a Winograd convolution: G g G' of each kernel g, 3x3 with zeros below
 * and beyond a smaller one, laid out as [36, ceil(O/4), C, 4], missing channels 0.
 */
export function pack_winograd(H, src, dst, KH, KW, C, O) {
  const G = [1 / 4, 0, 0, -1 / 6, -1 / 6, -1 / 6, -1 / 6, 1 / 6, -1 / 6,
    1 / 24, 1 / 12, 1 / 6, 1 / 24, -1 / 12, 1 / 6, 0, 0, 1];
  const g = new Float64Array(9), half = new Float64Array(18), plane = Math.ceil(O / 4) * 4 * C, tap = C * O;
  H.fill(0, dst, dst + 36 * plane);
  for (let o = 0; o < O; o++) {
    for (let c = 0; c < C; c++) {
      const to = dst + (o - o % 4) * C + 4 * c + o % 4;
      for (let i = 0, from = src + c * O + o; i < KH; i++) {
        for (let j = 0; j < KW; j++, from += tap) g[3 * i + j] = H[from];
      }
      for (let r = 0; r < 6; r++) {
        for (let j = 0; j < 3; j++) {
          half[3 * r + j] = G[3 * r] * g[j] + G[3 * r + 1] * g[3 + j] + G[3 * r + 2] * g[6 + j];
        }
      }
      for (let r = 0; r < 36; r++) {
        const row = 3 * Math.floor(r / 6), column = 3 * (r % 6);
        H[to + r * plane] = half[row] * G[column] + half[row + 1] * G[column + 1]
          + half[row + 2] * G[column + 2];
      }
    }
  }
}
