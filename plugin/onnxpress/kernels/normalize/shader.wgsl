{% from "wgsl/rows.wgsl" import main, head, each, tree %}
// {{ rows.outputs }} rows of {{ rows.length }} elements, {{ rows.parts }} parts each; phase: {{ phase }}
// whole: statistics and result. stats: mean and sum of squared deviations of each part.
// apply: the parts' statistics become the row's, then the result (Chan et al. 1979).
{{ bindings }}

var<workgroup> shared_: array<{{ rows.type }}, {{ rows.across * rows.along }}>;  // [along, across]
{% if phase != "stats" %}

{{ finish }}
{% endif %}

{{ main(rows.across * rows.along) }}
{{ head(rows, grid_x, workgroups) }}
{% if phase == "apply" %}
  var partial = {{ rows.type }}();
  for (var p = along; p < {{ rows.parts }}u; p += {{ rows.along }}u) {
    partial += stats[p * {{ rows.outputs }}u + o] * part_length(p);
  }
{{ tree(rows, "partial", "s + t") }}
  let mean = shared_[across] * {{ 1 / rows.length }};
  var deviation = {{ rows.type }}();
  for (var p = along; p < {{ rows.parts }}u; p += {{ rows.along }}u) {
    let d = stats[p * {{ rows.outputs }}u + o] - mean;
    deviation += stats[(p + {{ rows.parts }}u) * {{ rows.outputs }}u + o] + d * d * part_length(p);
  }
{% else %}
  var sum = {{ rows.type }}();
{% call each(rows) %}
    sum += x[x_o + x_r];
{% endcall %}
{{ tree(rows, "sum", "s + t") }}
  let mean = shared_[across] / f32(end - begin);
  var deviation = {{ rows.type }}();
{% call each(rows) %}
    let d = x[x_o + x_r] - mean;
    deviation += d * d;
{% endcall %}
{% endif %}
{{ tree(rows, "deviation", "s + t") }}
  if (!real) { return; }
{% if phase == "stats" %}
  if (along == 0u) {
    out[part * {{ rows.outputs }}u + o] = mean;
    out[(part + {{ rows.parts }}u) * {{ rows.outputs }}u + o] = shared_[across];
  }
{% else %}
  let rate = inverseSqrt(shared_[across] * {{ 1 / rows.length }} + {{ eps }});
{% call each(rows) %}
    let at = x_o + x_r;
    let v = (x[at] - mean) * rate * scale[scale_o + scale_r] + shift[shift_o + shift_r];
    out[at] = finish(v, at, at % {{ channels }}u);
{% endcall %}
{% endif %}
}
{% if phase == "apply" %}

fn part_length(p: u32) -> f32 {
  return f32(min((p + 1u) * {{ rows.run }}u, {{ rows.length }}u) - p * {{ rows.run }}u);
}
{% endif %}
