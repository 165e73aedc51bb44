// {{ "Exclusive sums" if exclusive else "Sums" }} along {{ length }} elements of {{ columns }} columns, {{ "from the end" if reverse else "from the start" }}, a workgroup each
{{ bindings }}

var<workgroup> sums: array<f32, {{ lanes }}>;

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let column = group.x + group.y * {{ grid_x }}u;
  if (column >= {{ columns }}u) { return; }
  let first = column / {{ inner }}u * {{ length * inner }}u + column % {{ inner }}u;
  var before = 0.0;
  for (var start = 0u; start < {{ length }}u; start += {{ lanes }}u) {
    let i = min(start + lane, {{ length - 1 }}u);
    let at = first + {{ "(%du - i)" % (length - 1) if reverse else "i" }} * {{ inner }}u;
    let real = start + lane < {{ length }}u;
    sums[lane] = select(0.0, x[at], real);
    // Hillis and Steele, "Data parallel algorithms", 1986: each sum takes the one `width` before.
    for (var width = 1u; width < {{ lanes }}u; width *= 2u) {
      workgroupBarrier();
      let other = select(0.0, sums[max(lane, width) - width], lane >= width);
      workgroupBarrier();
      sums[lane] += other;
    }
    workgroupBarrier();
{% if exclusive %}
    let own = select(0.0, sums[max(lane, 1u) - 1u], lane > 0u);
{% else %}
    let own = sums[lane];
{% endif %}
    if (real) { out[at] = before + own; }
    before += sums[{{ lanes - 1 }}u];
    workgroupBarrier();
  }
}
