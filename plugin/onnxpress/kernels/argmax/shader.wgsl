{% from "wgsl_rows.wgsl" import head, each %}
// Index of the {{ "largest" if largest else "smallest" }} of {{ rows.length }} elements in each of {{ rows.outputs }} rows; of equals the {{ "last" if select_last else "first" }}
{{ bindings }}

var<workgroup> best: array<f32, {{ rows.across * rows.along }}>;  // [along, across]
var<workgroup> place: array<u32, {{ rows.across * rows.along }}>;

fn wins(value: f32, at: u32, held: f32, held_at: u32) -> bool {
  return value {{ ">" if largest else "<" }} held
    || (value == held && at {{ ">" if select_last else "<" }} held_at);
}

@compute @workgroup_size({{ rows.across * rows.along }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
{{ head(rows, grid_x, workgroups) }}
  // An invocation beyond the row's length holds a copy of its first element.
  place[lane] = select(0u, along, along < {{ rows.length }}u);
  best[lane] = x[x_o + place[lane] * {{ stride }}u];
{% call each(rows) %}
    let value = x[x_o + x_r];
    if (wins(value, r, best[lane], place[lane])) {
      best[lane] = value;
      place[lane] = r;
    }
{% endcall %}
  for (var width = {{ rows.along // 2 }}u; width > 0u; width /= 2u) {
    workgroupBarrier();
    if (along < width) {
      let other = lane + width * {{ rows.across }}u;
      if (wins(best[other], place[other], best[lane], place[lane])) {
        best[lane] = best[other];
        place[lane] = place[other];
      }
    }
  }
  if (real && along == 0u) { out[o] = f32(place[lane]); }
}
