{% from "conv2d/winograd_lines.wgsl" import each, weights %}
{% set side = size + 2 %}
// u[{{ side * side }},{{ c }},{{ o }}] = G w G' of each 3x3 kernel, for tiles of {{ size }}x{{ size }}
{{ bindings }}

fn weight(i: u32) -> vec4f { return w[i]; }

{{ weights(size) }}
@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.x + group.y * {{ grid_x }}u) * {{ lanes }}u + lane;
  if (i >= {{ count }}u) { return; }
{% for x in range(3) %}
  let t{{ x }} = line(array<vec4f, 3>(weight({{ x * count }}u + i), weight({{ (3 + x) * count }}u + i), weight({{ (6 + x) * count }}u + i)));
{% endfor %}
{% for y in range(side) %}
  let r{{ y }} = line({{ each(3, "t#[%d]" % y) }});
{% for x in range(side) %}
  u[{{ (side * y + x) * count }}u + i] = r{{ y }}[{{ x }}];
{% endfor %}
{% endfor %}
}
