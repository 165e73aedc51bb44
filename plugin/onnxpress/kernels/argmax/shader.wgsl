{% from "wgsl/rows.wgsl" import main, head, each %}
// Index of the {{ "largest" if largest else "smallest" }} of {{ rows.length }} elements in each of {{ rows.outputs }} rows; of equals the {{ "last" if select_last else "first" }}
{{ bindings }}

var<workgroup> best: array<f32, {{ rows.across * rows.along }}>;  // [along, across]
var<workgroup> place: array<u32, {{ rows.across * rows.along }}>;

fn wins(value: f32, at: u32, held: f32, held_at: u32) -> bool {
  return value {{ ">" if largest else "<" }} held
    || (value == held && at {{ ">" if select_last else "<" }} held_at);
}

{{ main(rows.across * rows.along) }}
{{ head(rows, grid_x, workgroups) }}
  // An invocation beyond the row's length holds a copy of its first element.
  var at = select(0u, along, along < {{ rows.length }}u);
  var held = x[x_o + at * {{ stride }}u];
{% call each(rows) %}
    let value = x[x_o + x_r];
    if (wins(value, r, held, at)) {
      held = value;
      at = r;
    }
{% endcall %}
  var met = 1u;
  //+ for (; met < min({{ rows.along }}u, subgroup / {{ rows.across }}u); met *= 2u) {
  //+   let value = subgroupShuffleXor(held, met * {{ rows.across }}u);
  //+   let r = subgroupShuffleXor(at, met * {{ rows.across }}u);
  //+   if (wins(value, r, held, at)) {
  //+     held = value;
  //+     at = r;
  //+   }
  //+ }
  best[lane] = held;
  place[lane] = at;
  for (var width = {{ rows.along // 2 }}u; width >= met; width /= 2u) {
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
