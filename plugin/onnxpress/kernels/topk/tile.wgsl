{% from "topk/order.wgsl" import order, pairs %}
// {{ "Merges" if merges else "Sorts" }} tiles of {{ tile }} of the {{ size }} places in each of {{ rows }} rows
{{ bindings }}

{{ pairs(tile) }}
{{ order(n, inner, largest) }}
@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let id = group.x + group.y * {{ grid_x }}u;
  if (id >= {{ workgroups }}u) { return; }
  let row = id / {{ tiles }}u;
  let first = id % {{ tiles }}u * {{ tile }}u;
  for (var t = lane; t < {{ tile }}u; t += {{ lanes }}u) {
    let place = {{ "given[id * %du + t]" % tile if merges else "first + t" }};
    keys[t] = key_at(row, place);
    places[t] = place;
  }
{% if merges %}
  {
    let span = {{ span }}u;
{% else %}
  for (var span = 2u; span <= {{ tile }}u; span *= 2u) {
{% endif %}
    for (var stride = min(span, {{ tile }}u) / 2u; stride > 0u; stride /= 2u) {
      workgroupBarrier();
      for (var t = lane; t < {{ tile // 2 }}u; t += {{ lanes }}u) {
        let i = 2u * t - (t & (stride - 1u));
        exchange(i, i + stride, ((first + i) & span & {{ size - 1 }}u) == 0u);
      }
    }
  }
  workgroupBarrier();
  for (var t = lane; t < {{ tile }}u; t += {{ lanes }}u) { made[id * {{ tile }}u + t] = places[t]; }
}
