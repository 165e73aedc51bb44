/** V[36, count, C] = B' d B of the 6x6 cells d of `count` tiles from `first` on, `across` in a row. */
function NAME(H, x, xRow, xPixel, across, first, count, C, V) {
  const t = {{ sums }}, plane = count * C;
  for (let k = 0; k < count; k++) {
    const row = Math.floor((first + k) / across), column = first + k - row * across;
    const corner = x + 4 * (row * xRow + column * xPixel);
    for (let c = 0; c < C; c++) {
      for (let i = 0, p = corner + c; i < 6; i++, p += xPixel) {
        const d0 = H[p], d1 = H[p + xRow], d2 = H[p + 2 * xRow], d3 = H[p + 3 * xRow];
        const d4 = H[p + 4 * xRow], d5 = H[p + 5 * xRow];
        const a = d4 - 4 * d2, b = d3 - 4 * d1, e = d4 - d2, f = 2 * (d3 - d1);
        t[i] = 4 * d0 - 5 * d2 + d4;
        t[6 + i] = a + b;
        t[12 + i] = a - b;
        t[18 + i] = e + f;
        t[24 + i] = e - f;
        t[30 + i] = 4 * d1 - 5 * d3 + d5;
      }
      for (let r = 0, p = V + k * C + c; r < 36; r += 6, p += 6 * plane) {
        const d0 = t[r], d1 = t[r + 1], d2 = t[r + 2], d3 = t[r + 3], d4 = t[r + 4], d5 = t[r + 5];
        const a = d4 - 4 * d2, b = d3 - 4 * d1, e = d4 - d2, f = 2 * (d3 - d1);
        H[p] = 4 * d0 - 5 * d2 + d4;
        H[p + plane] = a + b;
        H[p + 2 * plane] = a - b;
        H[p + 3 * plane] = e + f;
        H[p + 4 * plane] = e - f;
        H[p + 5 * plane] = 4 * d1 - 5 * d3 + d5;
      }
    }
  }
}
