{% from "topk/order.wgsl" import order, pairs %}
{% set total = chunk * together %}
// The {{ k }} {{ "largest" if largest else "smallest" }} of {{ n }} elements in each of {{ rows }} rows, {{ together }} rows at once in chunks of {{ chunk }}
{{ bindings }}

// [best so far or new chunk, row, element]
{{ pairs(2 * total) }}
{{ order(n, inner, largest) }}
fn load(base: u32, first_row: u32, start: u32, lane: u32) {
  for (var t = lane; t < {{ total }}u; t += {{ lanes }}u) {
    let place = start + t % {{ chunk }}u;
    keys[base + t] = key_at(min(first_row + t / {{ chunk }}u, {{ rows - 1 }}u), place);
    places[base + t] = place;
  }
}

// Runs of `span` pairs, which fall after they rise, become sorted: by turns forwards and backwards.
fn merge(base: u32, span: u32, lane: u32) {
  for (var stride = span / 2u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    for (var t = lane; t < {{ total // 2 }}u; t += {{ lanes }}u) {
      let i = 2u * t - (t & (stride - 1u));
      exchange(base + i, base + i + stride, (i & span & {{ chunk - 1 }}u) == 0u);
    }
  }
}

fn sort(base: u32, lane: u32) {
  for (var span = 2u; span <= {{ chunk }}u; span *= 2u) { merge(base, span, lane); }
}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let id = group.x + group.y * {{ grid_x }}u;
  if (id >= {{ workgroups }}u) { return; }
  let first_row = id * {{ together }}u;
  load(0u, first_row, 0u, lane);
  sort(0u, lane);
  for (var start = {{ chunk }}u; start < {{ n }}u; start += {{ chunk }}u) {
    load({{ total }}u, first_row, start, lane);
    sort({{ total }}u, lane);
    workgroupBarrier();
    // The better of the i-th best and the i-th worst of the chunk: the best of both, rising and falling.
    for (var t = lane; t < {{ total }}u; t += {{ lanes }}u) {
      let other = {{ total }}u + (t ^ {{ chunk - 1 }}u);
      if (ahead(keys[other], places[other], keys[t], places[t])) {
        keys[t] = keys[other];
        places[t] = places[other];
      }
    }
    merge(0u, {{ chunk }}u, lane);
  }
  workgroupBarrier();
  for (var t = lane; t < {{ k * together }}u; t += {{ lanes }}u) {
    let row = first_row + t / {{ k }}u;
    if (row < {{ rows }}u) {
      let rank = t % {{ k }}u;
      let place = places[t / {{ k }}u * {{ chunk }}u + rank];
      let target_at = (row / {{ inner }}u * {{ k }}u + rank) * {{ inner }}u + row % {{ inner }}u;
      values[target_at] = x[(row / {{ inner }}u * {{ n }}u + place) * {{ inner }}u + row % {{ inner }}u];
      indices[target_at] = f32(place);
    }
  }
}
