// Strided copies: each owns a range of invocations, in the order of its places in the output
{{ bindings }}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.x + group.y * {{ grid_x }}u) * {{ lanes }}u + lane;
{% for part in ranges %}
  if (i >= {{ part.first }}u && i < {{ part.end }}u) {
    let j = i - {{ part.first }}u;
  {{ part.places }}
    out[to] = {{ part.source }}[at];
  }
{% endfor %}
}
