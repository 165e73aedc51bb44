{% set pixels = range(tile) %}
{% set cells = columns | sum(start=[]) | unique | list %}
/**
 * Depthwise convolution, {{ tile }} neighbouring pixels of one channel at a time; w is [rows, {{ kw }}, C].
 * The last tile of a line moves back to end with it.
 */
function NAME(H, x, xImage, xLine, xPixel, stride, y, yImage, yLine, yPixel, images, height, width,
  w, b, C, rows, rowStep{% for e in last.names %}, {{ e }}{% endfor %}) {
  for (let n = 0; n < images; n++, x += xImage, y += yImage) {
    for (let line = 0; line < height; line++) {
      for (let m = 0; m < width; m += {{ tile }}) {
        const column = Math.min(m, width - {{ tile }});
        const first = x + line * xLine + column * stride * xPixel;
        const place = y + line * yLine + column * yPixel;
        for (let c = 0; c < C; c++) {
          let {% for i in pixels %}c{{ i }} = H[b + c]{{ ", " if not loop.last }}{% endfor %};
          for (let ky = 0, p = first + c, k = w + c; ky < rows; ky++, p += rowStep, k += {{ kw }} * C) {
{% for t in range(kw) %}
            const w{{ t }} = H[k + {{ t }} * C];
{% endfor %}
{% for cell in cells | sort %}
            const x{{ cell }} = H[p + {{ cell }} * xPixel];
{% endfor %}
{% for i in pixels %}
            c{{ i }} += {% for t in range(kw) %}x{{ columns[i][t] }} * w{{ t }}{{ " + " if not loop.last }}{% endfor %};
{% endfor %}
          }
          const q = place + c;
{% for i in pixels %}
          {{ last.store("c%d" % i, "q + %d * yPixel" % i, "c") }}
{% endfor %}
        }
      }
    }
  }
}
