/** Reduces `count` elements of x to one of y, {{ "for C channels side by side" if sums else "once per kept index" }}. */
function NAME(H, y, x, C, count, {{ outer.parameters }}{{ ", " if outer.parameters }}{{ inner.parameters }}) {
{{ outer.head }}
{% if sums %}
  const sums = {{ sums }};
  sums.fill({{ start }});
{% else %}
  let sum = {{ start }};
{% endif %}
{{ inner.head }}
  {{ "for (let c = 0; c < C; c++) " if sums }}{{ combine }}
{{ inner.tail }}
{% if sums %}
  for (let c = 0; c < C; c++) H[{{ outer.at.y }} + c] = sums[c]{{ " / count" if mean }};
{% else %}
  H[{{ outer.at.y }}] = sum{{ " / count" if mean }};
{% endif %}
{{ outer.tail }}
}
