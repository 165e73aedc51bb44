{% set inward = "i" if mode == "reflect" else "0" %}
/** The border ({{ mode }}) of images whose first pixel is y: columns of each row, then rows. */
function NAME(H, y, images, height, width, image, row, pixel, top, left, bottom, right) {
{% if mode == "zero" %}
  const put = (to, from, length) => H.fill(0, to, to + length);
{% else %}
  const put = (to, from, length) => H.copyWithin(to, from, from + length);
{% endif %}
  const line = (left + width + right) * pixel;
  for (let n = 0; n < images; n++, y += image) {
    for (let r = 0; r < height; r++) {
      const first = y + r * row, last = first + (width - 1) * pixel;
      for (let i = 1; i <= left; i++) put(first - i * pixel, first + {{ inward }} * pixel, pixel);
      for (let i = 1; i <= right; i++) put(last + i * pixel, last - {{ inward }} * pixel, pixel);
    }
    const first = y - left * pixel, last = first + (height - 1) * row;
    for (let i = 1; i <= top; i++) put(first - i * row, first + {{ inward }} * row, line);
    for (let i = 1; i <= bottom; i++) put(last + i * row, last - {{ inward }} * row, line);
  }
}
