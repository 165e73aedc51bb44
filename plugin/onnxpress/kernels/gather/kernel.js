/** y[outer, count, run] = x[outer, index, run] by the indices at `at`; negative ones count back. */
function NAME(H, x, at, y, outer, length, count, run) {
  for (let n = 0; n < outer; n++, x += length * run) {
    for (let i = 0; i < count; i++, y += run) {
      const index = H[at + i] < 0 ? H[at + i] + length : H[at + i];
      H.copyWithin(y, x + index * run, x + (index + 1) * run);
    }
  }
}
