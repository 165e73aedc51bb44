{% set lanes = range(4) %}
{% set tile = range(3) %}
/**
 * y[M, N] = a[M, K] b[K, N] + bias[N] for each batch, 3 rows by 4 columns at a time.
 * b is {{ "packed by pack_tiles" if packed else "packed into scratch, batch by batch" }}; a last tile that is not full computes its last row again.
 * `| 0` spares the innermost loop its overflow checks.
 */
function NAME(H, a, b, y, batches, aStep, bStep, yStep, K, N, bias, M, scratch{% for e in last.names %}, {{ e }}{% endfor %}) {
  for (let n = 0; n < batches; n++, a += aStep, b += bStep, y += yStep) {
{% if packed %}
    const packed = b;
{% else %}
    const packed = scratch;
    {{ pack }}(H, b, packed, K, N, 1);
{% endif %}
    for (let m = 0; m < M; m += 3) {
{% for i in tile %}
      const m{{ i }} = Math.min(m + {{ i }}, M - 1), a{{ i }} = a + m{{ i }} * K;
{% endfor %}
      for (let o = 0, k = packed; o < N; o += 4) {
{% for i in tile %}
        let {% for j in lanes %}c{{ i }}{{ j }} = H[bias + o + {{ j }}]{{ ", " if not loop.last }}{% endfor %};
{% endfor %}
        let {% for i in tile %}p{{ i }} = a{{ i }}{{ ", " if not loop.last }}{% endfor %};
        for (const stop = p0 + K; p0 < stop; k = (k + 4) | 0{% for i in tile %}, p{{ i }} = (p{{ i }} + 1) | 0{% endfor %}) {
          const {% for j in lanes %}w{{ j }} = H[(k + {{ j }}) | 0]{{ ", " if not loop.last }}{% endfor %};
{% for i in tile %}
          const v{{ i }} = H[p{{ i }}];
{% for j in lanes %}
          c{{ i }}{{ j }} += v{{ i }} * w{{ j }};
{% endfor %}
{% endfor %}
        }
        const {% for i in tile %}y{{ i }} = y + m{{ i }} * N + o{{ ", " if not loop.last }}{% endfor %};
{% for j in lanes %}
{% if j %}
        if (o + {{ j }} >= N) continue;
{% endif %}
{% for i in tile %}
        {{ last.store("c%d%d" % (i, j), "y%d + %d" % (i, j), "o + %d" % j) }}
{% endfor %}
{% endfor %}
      }
    }
  }
}
