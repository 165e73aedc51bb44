/** y[c] is the sum of x[c - lo] to x[c + hi], within the C channels. */
function NAME(H, y, x, C, lo, hi, {{ nest.parameters }}) {
{{ nest.head }}
  for (let c = 0; c < C; c++) {
    let sum = 0;
    for (let i = Math.max(0, c - lo), end = Math.min(C, c + hi + 1); i < end; i++) {
      sum += H[{{ nest.at.x }} + i];
    }
    H[{{ nest.at.y }} + c] = sum;
  }
{{ nest.tail }}
}
