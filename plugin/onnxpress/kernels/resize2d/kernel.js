/**
 * Separable resampling: {{ rows }} taps per row and {{ columns }} per column. rowAt and columnAt hold element
 * offsets{{ "" if plain else ", rowW and columnW weights" }}.
 */
function NAME(H, x, xImage, y, yImage, yRow, yPixel, images, height, width, C, rowAt, columnAt
{{- "" if plain else ", rowW, columnW" }}) {
  for (let n = 0; n < images; n++, x += xImage, y += yImage) {
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        const place = y + i * yRow + j * yPixel;
{% for r in range(rows) %}
{% for k in range(columns) %}
        const p{{ r }}_{{ k }} = x + rowAt[i * {{ rows }} + {{ r }}] + columnAt[j * {{ columns }} + {{ k }}];
{% if not plain %}
        const w{{ r }}_{{ k }} = rowW[i * {{ rows }} + {{ r }}] * columnW[j * {{ columns }} + {{ k }}];
{% endif %}
{% endfor %}
{% endfor %}
{% if plain %}
        for (let c = 0; c < C; c++) H[place + c] = H[p0_0 + c];
{% else %}
        for (let c = 0; c < C; c++) {
          let sum = 0;
{% for r in range(rows) %}
{% for k in range(columns) %}
          sum += w{{ r }}_{{ k }} * H[p{{ r }}_{{ k }} + c];
{% endfor %}
{% endfor %}
          H[place + c] = sum;
        }
{% endif %}
      }
    }
  }
}
