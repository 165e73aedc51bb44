// Separable taps: image [N,{{ h }},{{ w }},C] -> [N,{{ oh }},{{ ow }},C]
{{ bindings }}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.x + group.y * {{ grid_x }}u) * {{ lanes }}u + lane;
  if (i >= {{ count }}u) { return; }
  let channel = i % {{ c }}u;
  let ox = i / {{ c }}u % {{ ow }}u;
  let oy = i / {{ c * ow }}u % {{ oh }}u;
  let first_row = i / {{ c * ow * oh }}u * {{ h }}u;
{% if even %}
  let y = oy * {{ h }}u / {{ oh }}u;
  let x = ox * {{ w }}u / {{ ow }}u;
  out[i] = image[((first_row + y) * {{ w }}u + x) * {{ c }}u + channel];
{% else %}
  var sum = {{ type }}();
  for (var ty = 0u; ty < {{ rows }}u; ty++) {
    let row = taps[oy * {{ rows }}u + ty];
    let line = (first_row + u32(row.x)) * {{ w }}u;
    for (var tx = 0u; tx < {{ cols }}u; tx++) {
      let col = taps[{{ oh * rows }}u + ox * {{ cols }}u + tx];
      sum += row.y * col.y * image[(line + u32(col.x)) * {{ c }}u + channel];
    }
  }
  out[i] = sum;
{% endif %}
}
