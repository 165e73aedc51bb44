// The first {{ k }} of the sorted {{ size }} places in each of {{ rows }} rows, and their elements
{{ bindings }}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.x + group.y * {{ grid_x }}u) * {{ lanes }}u + lane;
  if (i >= {{ total }}u) { return; }
  let row = i / {{ k }}u;
  let rank = i % {{ k }}u;
  let place = given[row * {{ size }}u + rank];
  let target_at = (row / {{ inner }}u * {{ k }}u + rank) * {{ inner }}u + row % {{ inner }}u;
  values[target_at] = x[(row / {{ inner }}u * {{ n }}u + place) * {{ inner }}u + row % {{ inner }}u];
  indices[target_at] = f32(place);
}
