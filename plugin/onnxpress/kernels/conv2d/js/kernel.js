{% set pixels = range(tile) %}
{% set lanes = range(4) %}
/**
 * Convolution of [images, H, W, groups*C] as a matrix product: {{ tile }} pixels by 4 channels at a time.
 * A window is `rows` lines of `taps` runs of `run` elements; w is packed by pack_tiles; x is the
 * first cell of the first window. O counts output channels of a group; a last tile that is not
 * full computes its last pixel again. `| 0` spares the innermost loop its overflow checks.
 */
function NAME(H, x, xImage, xLine, xStep, y, yImage, yLine, yStep, images, height, width, w, b,
  groups, C, O, rows, rowStep, taps, tapStep, run, block{% for e in last.names %}, {{ e }}{% endfor %}) {
  const area = height * width, depth = 4 * rows * taps * run;
  const xWrap = xLine - width * xStep, yWrap = yLine - width * yStep;
  for (let n = 0; n < images; n++, x += xImage, y += yImage) {
    for (let start = 0; start < area; start += block) {
      const end = Math.min(start + block, area), line = Math.floor(start / width);
      const px = x + line * xLine + (start - line * width) * xStep;
      const py = y + line * yLine + (start - line * width) * yStep;
      for (let g = 0, weights = w; g < groups; g++) {
        for (let o = 0; o < O; o += 4, weights += depth) {
          const z = g * O + o;
          const b0 = H[b + z], b1 = H[b + z + 1], b2 = H[b + z + 2], b3 = H[b + z + 3];
          let p = px + g * C, q = py + z, column = start - line * width;
          for (let m = start; m < end; m += {{ tile }}) {
{% for i in pixels %}
            const x{{ i }} = p, y{{ i }} = q;
            if (m + {{ i + 1 }} < end) {
              p += xStep;
              q += yStep;
              if (++column === width) {
                column = 0;
                p += xWrap;
                q += yWrap;
              }
            }
{% endfor %}
{% for i in pixels %}
            let {% for j in lanes %}c{{ i }}{{ j }} = b{{ j }}{{ ", " if not loop.last }}{% endfor %};
{% endfor %}
            let k = weights;
            for (let ky = 0; ky < rows; ky++) {
              for (let kx = 0; kx < taps; kx++) {
                const t = ky * rowStep + kx * tapStep;
                let {% for i in pixels %}p{{ i }} = x{{ i }} + t{{ ", " if not loop.last }}{% endfor %};
                for (const stop = p0 + run; p0 < stop; k = (k + 4) | 0{% for i in pixels %}, p{{ i }} = (p{{ i }} + 1) | 0{% endfor %}) {
                  const {% for j in lanes %}w{{ j }} = H[(k + {{ j }}) | 0]{{ ", " if not loop.last }}{% endfor %};
{% for i in pixels %}
                  const a{{ i }} = H[p{{ i }}];
{% for j in lanes %}
                  c{{ i }}{{ j }} += a{{ i }} * w{{ j }};
{% endfor %}
{% endfor %}
                }
              }
            }
{% for j in lanes %}
{% if j %}
            if (o + {{ j }} >= O) continue;
{% endif %}
{% for i in pixels %}
            {{ last.store("c%d%d" % (i, j), "y%d + %d" % (i, j), "z + %d" % j) }}
{% endfor %}
{% endfor %}
          }
        }
      }
    }
  }
}
