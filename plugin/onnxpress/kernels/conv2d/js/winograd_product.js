{% set lanes = range(4) %}
{% set tile = range(3) %}
/** M[36, count, lanes] = V[36, count, C] U[36, C, lanes], U in pack_winograd's order. */
function NAME(H, V, U, M, count, C, lanes) {
  for (let r = 0, k = U; r < 36; r++, V += count * C, M += count * lanes) {
    for (let o = 0, weights = k; o < lanes; o += 4, weights = k) {
      for (let m = 0; m < count; m += 3) {
{% for i in tile %}
        const m{{ i }} = Math.min(m + {{ i }}, count - 1), y{{ i }} = M + m{{ i }} * lanes + o;
        let p{{ i }} = V + m{{ i }} * C;
        let {% for j in lanes %}c{{ i }}{{ j }} = 0{{ ", " if not loop.last }}{% endfor %};
{% endfor %}
        k = weights;
        for (const stop = p0 + C; p0 < stop; k = (k + 4) | 0{% for i in tile %}, p{{ i }} = (p{{ i }} + 1) | 0{% endfor %}) {
          const {% for j in lanes %}w{{ j }} = H[(k + {{ j }}) | 0]{{ ", " if not loop.last }}{% endfor %};
{% for i in tile %}
          const a{{ i }} = H[p{{ i }}];
{% for j in lanes %}
          c{{ i }}{{ j }} += a{{ i }} * w{{ j }};
{% endfor %}
{% endfor %}
        }
{% for i in tile %}
{% for j in lanes %}
        H[y{{ i }} + {{ j }}] = c{{ i }}{{ j }};
{% endfor %}
{% endfor %}
      }
    }
  }
}
