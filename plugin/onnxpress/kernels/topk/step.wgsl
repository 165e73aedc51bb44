{% from "topk/order.wgsl" import order %}
// Exchanges places {{ stride }} apart, in runs of {{ span }} of the {{ size }} places in each of {{ rows }} rows
{{ bindings }}

{{ order(n, inner, largest) }}
@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.x + group.y * {{ grid_x }}u) * {{ lanes }}u + lane;
  if (i >= {{ count }}u) { return; }
  let row = i / {{ size }}u;
  let place = given[i];
  let other = given[i ^ {{ stride }}u];
  let first = ahead(key_at(row, place), place, key_at(row, other), other);
  let forwards = (i & {{ span }}u & {{ size - 1 }}u) == 0u;
  let lower = (i & {{ stride }}u) == 0u;
  let keep = first == (lower == forwards);
  made[i] = select(other, place, keep);
}
