/** The 4x4 pixels A' m A of each tile, as far as they lie in the image, with bias and epilogue. */
function NAME_output(H, M, lanes, y, yRow, yPixel, height, width, across, first, count, O, bias
{%- for e in last.names %}, {{ e }}{% endfor %}) {
  const t = {{ sums }}, plane = count * lanes;
  for (let k = 0; k < count; k++) {
    const row = Math.floor((first + k) / across), column = first + k - row * across;
    const rows = Math.min(4, height - 4 * row), columns = Math.min(4, width - 4 * column);
    for (let z = 0; z < O; z++) {
      for (let i = 0, p = M + k * lanes + z; i < 6; i++, p += plane) {
        const m0 = H[p], m1 = H[p + 6 * plane], m2 = H[p + 12 * plane], m3 = H[p + 18 * plane];
        const m4 = H[p + 24 * plane], m5 = H[p + 30 * plane];
        const a = m1 + m2, b = m1 - m2, e = m3 + m4, f = m3 - m4;
        t[i] = m0 + a + e;
        t[6 + i] = b + 2 * f;
        t[12 + i] = a + 4 * e;
        t[18 + i] = b + 8 * f + m5;
      }
      const b0 = H[bias + z];
      for (let r = 0, q = y + 4 * (row * yRow + column * yPixel) + z; r < rows; r++, q += yRow) {
        const m0 = t[6 * r], m1 = t[6 * r + 1], m2 = t[6 * r + 2], m3 = t[6 * r + 3];
        const m4 = t[6 * r + 4], m5 = t[6 * r + 5];
        const a = m1 + m2, b = m1 - m2, e = m3 + m4, f = m3 - m4;
        const v0 = b0 + m0 + a + e, v1 = b0 + b + 2 * f, v2 = b0 + a + 4 * e, v3 = b0 + b + 8 * f + m5;
{% for j in range(4) %}
{% if j %}
        if ({{ j }} >= columns) continue;
{% endif %}
        {{ last.store("v%d" % j, "q + %d * yPixel" % j, "z") }}
{% endfor %}
      }
    }
  }
}

/**
 * 3x3 convolution by Winograd's F(4x4, 3x3): 36 products instead of 144 for 16 pixels, `block`
 * tiles at a time. Matrices: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks",
 * 2016.
 */
function NAME(H, x, xImage, xRow, xPixel, y, yImage, yRow, yPixel, images, height, width, C, O, U,
  bias, scratch, block{% for e in last.names %}, {{ e }}{% endfor %}) {
  const across = Math.ceil(width / 4), tiles = across * Math.ceil(height / 4);
  const lanes = 4 * Math.ceil(O / 4), M = scratch + 36 * block * C;
  for (let n = 0; n < images; n++, x += xImage, y += yImage) {
    for (let first = 0; first < tiles; first += block) {
      const count = Math.min(block, tiles - first);
      {{ input }}(H, x, xRow, xPixel, across, first, count, C, scratch);
      {{ product }}(H, scratch, U, M, count, C, lanes);
      NAME_output(H, M, lanes, y, yRow, yPixel, height, width, across, first, count, O, bias
{%- for e in last.names %}, {{ e }}{% endfor %});
    }
  }
}
