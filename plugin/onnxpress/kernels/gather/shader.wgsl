// Slices of x along an axis of {{ length }}: x [outer, axis, inner], indices [k] -> [outer, k, inner]
{{ bindings }}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.x + group.y * {{ grid_x }}u) * {{ lanes }}u + lane;
  if (i >= {{ count }}u) { return; }
  let inner = i % {{ inner }}u;
  let index = i32(indices[i / {{ inner }}u % {{ picked }}u]);
  let row = u32(clamp(select(index, index + {{ length }}, index < 0), 0, {{ length - 1 }}));
  out[i] = x[(i / {{ inner * picked }}u * {{ length }}u + row) * {{ inner }}u + inner];
}
