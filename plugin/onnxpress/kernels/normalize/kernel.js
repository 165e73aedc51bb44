{% macro settle(sum, square) %}
  const mean = {{ sum }} / count;
  const inverse = 1 / Math.sqrt(Math.max(0, {{ square }} / count - mean * mean) + eps);
{% endmacro %}
/** Scales groups of `count` elements to mean 0 and variance 1{{ ", C channels side by side" if sums }}. */
function NAME(H, {{ names | join(", ") }}, C, count, eps, {{ outer.parameters }}{{ ", " if outer.parameters }}{{ apply.parameters }}) {
{{ outer.head }}
{% if sums %}
  const sums = {{ sums }};
  sums.fill(0);
{{ measure.head }}
  for (let c = 0; c < C; c++) {
    const term = H[{{ measure.at.x }} + c];
    sums[c] += term;
    sums[C + c] += term * term;
  }
{{ measure.tail }}
  for (let c = 0; c < C; c++) {
{{ settle("sums[c]", "sums[C + c]") }}
    sums[c] = mean;
    sums[C + c] = inverse;
  }
{% else %}
  let sum = 0, square = 0;
{{ measure.head }}
  const term = H[{{ measure.at.x }}];
  sum += term;
  square += term * term;
{{ measure.tail }}
{{ settle("sum", "square") }}
{% endif %}
{{ apply.head }}
{% if sums %}
  for (let c = 0; c < C; c++) {
    const mean = sums[c], inverse = sums[C + c];
{% endif %}
    const v = {{ value }};
    {{ store }}
{{ "  }" if sums }}
{{ apply.tail }}
{{ outer.tail }}
}
