/** y[N] = a[K] b[K, N] + bias[N] for each batch: four rows of b at a time, summed in doubles. */
function NAME(H, a, b, y, batches, aStep, bStep, yStep, K, N, bias{% for e in last.names %}, {{ e }}{% endfor %}) {
  const sums = {{ sums }};
  for (let n = 0; n < batches; n++, a += aStep, b += bStep, y += yStep) {
    for (let o = 0; o < N; o++) sums[o] = H[bias + o];
    let k = 0;
    for (; k + 4 <= K; k += 4) {
      const a0 = H[a + k], a1 = H[a + k + 1], a2 = H[a + k + 2], a3 = H[a + k + 3];
      const b0 = b + k * N, b1 = b0 + N, b2 = b1 + N, b3 = b2 + N;
      for (let o = 0; o < N; o++) {
        sums[o] += a0 * H[b0 + o] + a1 * H[b1 + o] + a2 * H[b2 + o] + a3 * H[b3 + o];
      }
    }
    for (; k < K; k++) {
      for (let o = 0; o < N; o++) sums[o] += H[a + k] * H[b + k * N + o];
    }
    for (let o = 0; o < N; o++) {
      {{ last.store("sums[o]", "y + o", "o") }}
    }
  }
}
