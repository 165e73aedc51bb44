// out[i] = finish(sum of {{ parts }} partial results)
{{ bindings }}

{{ finish }}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.x + group.y * {{ grid_x }}u) * {{ lanes }}u + lane;
  if (i >= {{ count }}u) { return; }
  var sum = partial[i];
  for (var p = 1u; p < {{ parts }}u; p++) { sum += partial[p * {{ count }}u + i]; }
  let channel = i % {{ channels }}u;
  out[i / {{ channels }}u * {{ pitch }}u + {{ start }}u + channel] = finish(sum, i, channel);
}
