// out[.., c] = sum of x[.., c - {{ lo }} .. c + {{ hi }}] inside the last axis, of {{ channels }}
{{ bindings }}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.x + group.y * {{ grid_x }}u) * {{ lanes }}u + lane;
  if (i >= {{ count }}u) { return; }
  let c = i % {{ channels }}u;
  let first = i - min(c, {{ lo }}u);
  let last = i + min({{ channels - 1 }}u - c, {{ hi }}u);
  var sum = 0.0;
  for (var j = first; j <= last; j++) { sum += x[j]; }
  out[i] = sum;
}
