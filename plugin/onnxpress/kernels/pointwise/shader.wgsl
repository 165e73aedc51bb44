// out[i] = value(inputs at i); operands are broadcast
{{ bindings }}

{{ function }}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.x + group.y * {{ grid_x }}u) * {{ lanes }}u + lane;
  if (i >= {{ count }}u) { return; }
  {{ places }}
{% for name in names %}
  let v{{ loop.index0 }} = {{ splat }}({{ name }}[{{ name }}_at]);
{% endfor %}
  out[i] = {{ call }};
}
