// {{ "Exclusive sums" if exclusive else "Sums" }} along {{ length }} elements of {{ columns }} columns, {{ "from the end" if reverse else "from the start" }}
{{ bindings }}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let column = (group.x + group.y * {{ grid_x }}u) * {{ lanes }}u + lane;
  if (column >= {{ columns }}u) { return; }
  let first = column / {{ inner }}u * {{ length * inner }}u + column % {{ inner }}u;
  var sum = 0.0;
  for (var i = 0u; i < {{ length }}u; i++) {
    let at = first + {{ "(%du - i)" % (length - 1) if reverse else "i" }} * {{ inner }}u;
    let term = x[at];
    out[at] = {{ "sum" if exclusive else "sum + term" }};
    sum += term;
  }
}
