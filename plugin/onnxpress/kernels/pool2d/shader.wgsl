// {{ "Largest" if largest else "Mean" }} of {{ kh }}x{{ kw }} windows: image [N,H,W,C] -> [N,OH,OW,C]
{{ bindings }}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.x + group.y * {{ grid_x }}u) * {{ lanes }}u + lane;
  if (i >= {{ count }}u) { return; }
  let channel = i % {{ c }}u;
  let ox = i / {{ c }}u % {{ ow }}u;
  let oy = i / {{ c * ow }}u % {{ oh }}u;
  let first_row = i / {{ c * ow * oh }}u * {{ h }}u;
  var acc = {{ type }}({{ start }});
  var cells = 0.0;
  for (var ky = 0; ky < {{ kh }}; ky++) {
    let y = i32(oy * {{ sy }}u) - {{ top }} + ky * {{ dy }};
{% if padded %}
    if (y >= {{ h + bottom }}) { break; }
{% else %}
    if (y < 0 || y >= {{ h }}) { continue; }
{% endif %}
    for (var kx = 0; kx < {{ kw }}; kx++) {
      let x = i32(ox * {{ sx }}u) - {{ left }} + kx * {{ dx }};
{% if padded %}
      if (x >= {{ w + right }}) { break; }
      cells += 1.0;
      if (y < 0 || y >= {{ h }} || x < 0 || x >= {{ w }}) { continue; }
{% else %}
      if (x < 0 || x >= {{ w }}) { continue; }
      cells += 1.0;
{% endif %}
      let v = image[((first_row + u32(y)) * {{ w }}u + u32(x)) * {{ c }}u + channel];
      acc = {{ "max(acc, v)" if largest else "acc + v" }};
    }
  }
  out[i] = {{ "acc" if largest else "acc / max(cells, 1.0)" }};
}
