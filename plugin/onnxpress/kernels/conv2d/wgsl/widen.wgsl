// out[i] = four of a pixel's {{ channels }} channels, zeros beyond them
{{ bindings }}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.x + group.y * {{ grid_x }}u) * {{ lanes }}u + lane;
  if (i >= {{ count }}u) { return; }
  let first = i % {{ quads }}u * 4u;
  let pixel = i / {{ quads }}u;
  let at = pixel / {{ plane }}u * {{ plane * channels }}u + pixel % {{ plane }}u * {{ across }}u;
  var v = vec4f();
  for (var j = 0u; j < 4u && first + j < {{ channels }}u; j++) { v[j] = x[at + (first + j) * {{ down }}u]; }
  out[i] = v;
}
