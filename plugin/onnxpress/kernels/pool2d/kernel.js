/** The {{ "largest value" if kind == "max" else "mean" }} of each window; a window starts `top` and `left` outside the image. */
function NAME(H, x, xImage, xRow, xPixel, H_in, W_in, y, yImage, yRow, yPixel, images, height,
  width, C, KH, KW, sy, sx, dy, dx, top, left, bottom, right) {
  for (let n = 0; n < images; n++, x += xImage, y += yImage) {
    for (let i = 0; i < height; i++) {
      const row = i * sy - top;
      const r0 = row < 0 ? Math.ceil(-row / dy) : 0, r1 = Math.min(KH, Math.ceil((H_in - row) / dy));
      for (let j = 0; j < width; j++) {
        const column = j * sx - left;
        const c0 = column < 0 ? Math.ceil(-column / dx) : 0;
        const c1 = Math.min(KW, Math.ceil((W_in - column) / dx));
        const first = x + (row + r0 * dy) * xRow + (column + c0 * dx) * xPixel;
        const place = y + i * yRow + j * yPixel;
{% if kind == "avg" %}
{% if padded %}
        const cells = Math.min(KH, Math.ceil((H_in + bottom - row) / dy))
          * Math.min(KW, Math.ceil((W_in + right - column) / dx));
{% else %}
        const cells = (r1 - r0) * (c1 - c0);
{% endif %}
{% endif %}
        for (let c = 0; c < C; c++) {
          let value = {{ "-Infinity" if kind == "max" else "0" }};
          for (let r = r0, p = first + c; r < r1; r++, p += dy * xRow) {
            for (let k = c0, q = p; k < c1; k++, q += dx * xPixel) {
              {{ "if (H[q] > value) value = H[q];" if kind == "max" else "value += H[q];" }}
            }
          }
          H[place + c] = {{ "value" if kind == "max" else "value / cells" }};
        }
      }
    }
  }
}
