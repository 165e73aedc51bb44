/** One value per element: operands start at an index and step through the loops. */
function NAME(H, {{ (operands + constants) | join(", ") }}, {{ nest.parameters }}) {
{{ nest.head }}
{% for value, at in loads %}
  const {{ value }} = H[{{ at }}];
{% endfor %}
  {{ store }}
{{ nest.tail }}
}
