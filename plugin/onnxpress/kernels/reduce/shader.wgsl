{% from "wgsl_rows.wgsl" import head, each, tree %}
// {{ kind }} of {{ rows.length }} elements for each of {{ rows.outputs }} outputs, in {{ rows.parts }} parts
{{ bindings }}

var<workgroup> shared_: array<{{ rows.type }}, {{ rows.across * rows.along }}>;  // [along, across]

@compute @workgroup_size({{ rows.across * rows.along }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
{{ head(rows, grid_x, workgroups) }}
  var s = {{ rows.type }}({{ start }});
{% call each(rows) %}
    let t = x[x_o + x_r];
    s = {{ combine }};
{% endcall %}
{{ tree(rows, "s", combine) }}
  if (real && along == 0u) { out[part * {{ rows.outputs }}u + o] = {{ scale }}shared_[lane]; }
}
