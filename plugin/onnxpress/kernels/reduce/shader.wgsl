{% from "wgsl/rows.wgsl" import main, head, each, tree %}
// {{ kind }} of {{ rows.length }} elements for each of {{ rows.outputs }} outputs, in {{ rows.parts }} parts
{{ bindings }}

var<workgroup> shared_: array<{{ rows.type }}, {{ rows.across * rows.along }}>;  // [along, across]

{{ main(rows.across * rows.along) }}
{{ head(rows, grid_x, workgroups) }}
  var s = {{ rows.type }}({{ start }});
{% call each(rows) %}
    let t = x[x_o + x_r];
    s = {{ combine }};
{% endcall %}
{{ tree(rows, "s", combine) }}
  if (real && along == 0u) { out[part * {{ rows.outputs }}u + o] = {{ scale }}shared_[lane]; }
}
