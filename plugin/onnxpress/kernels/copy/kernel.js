/** Moves runs of elements from x (an index; a value for fill) to y, in nested loops. */
function NAME(H, y, x, run, {{ nest.parameters }}) {
{{ nest.head }}
{% set y = nest.at.y %}
{% if action == "fill" %}
  H.fill(x, {{ y }}, {{ y }} + run);
{% elif action == "copyWithin" %}
  H.copyWithin({{ y }}, {{ nest.at.x }}, {{ nest.at.x }} + run);
{% else %}
  H[{{ y }}] = H[{{ nest.at.x }}];
{% endif %}
{{ nest.tail }}
}
