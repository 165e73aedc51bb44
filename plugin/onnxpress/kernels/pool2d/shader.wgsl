// {{ "Largest" if largest else "Mean" }} of {{ kh }}x{{ kw }} windows: image [N,H,W,C] -> [N,OH,OW,C]
{{ bindings }}

{# Loops over what is inside have no bounds by which a driver could unroll them. #}
// First and end of the `count` cells, `step` apart from `at` on, that lie in 0 .. size
fn inside(at: i32, step: i32, count: i32, size: i32) -> vec2i {
  return vec2i(max(0, (step - 1 - at) / step), min(count, (size - at + step - 1) / step));
}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.x + group.y * {{ grid_x }}u) * {{ lanes }}u + lane;
  if (i >= {{ count }}u) { return; }
  let pixel = i / {{ c }}u;
  let line = pixel / {{ ow }}u;
  let picture = line / {{ oh }}u;
  let channel = i - pixel * {{ c }}u;
  let x = i32((pixel - line * {{ ow }}u) * {{ sx }}u) - {{ left }};
  let y = i32((line - picture * {{ oh }}u) * {{ sy }}u) - {{ top }};
  let rows = inside(y, {{ dy }}, {{ kh }}, {{ h }});
  let columns = inside(x, {{ dx }}, {{ kw }}, {{ w }});
  var acc = {{ type }}({{ start }});
  for (var ky = rows.x; ky < rows.y; ky++) {
    let row = (picture * {{ h }}u + u32(y + ky * {{ dy }})) * {{ w }}u;
    for (var kx = columns.x; kx < columns.y; kx++) {
      let v = image[(row + u32(x + kx * {{ dx }})) * {{ c }}u + channel];
      acc = {{ "max(acc, v)" if largest else "acc + v" }};
    }
  }
{% if largest %}
  out[i] = acc;
{% else %}
{% if padded %}
  let down = inside(y + {{ top }}, {{ dy }}, {{ kh }}, {{ top + h + bottom }});
  let across = inside(x + {{ left }}, {{ dx }}, {{ kw }}, {{ left + w + right }});
{% else %}
  let down = rows;
  let across = columns;
{% endif %}
  out[i] = acc / f32(max((down.y - down.x) * (across.y - across.x), 1));
{% endif %}
}
