{% from "wgsl/rows.wgsl" import main, head, each, tree %}
// {{ "Logarithm of softmax" if log else "Softmax" }} over {{ rows.length }} elements in each of {{ rows.outputs }} rows
{{ bindings }}

var<workgroup> shared_: array<{{ rows.type }}, {{ rows.across * rows.along }}>;  // [along, across]

{{ main(rows.across * rows.along) }}
{{ head(rows, grid_x, workgroups) }}
  var most = {{ rows.type }}({{ lowest }});
{% call each(rows) %}
    most = max(most, x[x_o + x_r]);
{% endcall %}
{{ tree(rows, "most", "max(s, t)") }}
  let peak = shared_[across];
  var sum = {{ rows.type }}();
{% call each(rows) %}
    sum += exp(x[x_o + x_r] - peak);
{% endcall %}
{{ tree(rows, "sum", "s + t") }}
  let total = shared_[across];
  if (!real) { return; }
{% call each(rows) %}
    let shifted = x[x_o + x_r] - peak;
    out[x_o + x_r] = {{ "shifted - log(total)" if log else "exp(shifted) / total" }};
{% endcall %}
}
