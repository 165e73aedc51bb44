/**
 * Weights [3, 3, C, O] of a Winograd convolution: G g G' of each kernel g, laid out as
 * [36, ceil(O/4), C, 4], missing channels 0.
 */
export function pack_winograd(H, src, dst, C, O) {
  const G = [1 / 4, 0, 0, -1 / 6, -1 / 6, -1 / 6, -1 / 6, 1 / 6, -1 / 6,
    1 / 24, 1 / 12, 1 / 6, 1 / 24, -1 / 12, 1 / 6, 0, 0, 1];
  const half = new Float64Array(18), plane = Math.ceil(O / 4) * 4 * C, tap = C * O;
  H.fill(0, dst, dst + 36 * plane);
  for (let o = 0; o < O; o++) {
    for (let c = 0; c < C; c++) {
      const g = src + c * O + o, to = dst + (o - o % 4) * C + 4 * c + o % 4;
      for (let r = 0; r < 6; r++) {
        for (let j = 0; j < 3; j++) {
          half[3 * r + j] = G[3 * r] * H[g + j * tap] + G[3 * r + 1] * H[g + (3 + j) * tap]
            + G[3 * r + 2] * H[g + (6 + j) * tap];
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
