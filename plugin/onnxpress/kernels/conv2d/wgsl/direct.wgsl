{% from "wgsl/window.wgsl" import border %}
// Groups of few channels, no shared memory: each invocation makes {{ "4 channels" if wide else "one channel" }} of {{ across }} pixels in a row.
// Image: [N,H,W,C]; weights: [KH,KW,C/groups={{ cg }},O].
{{ bindings }}

{{ border(mode) }}
{{ weights }}
{{ finish }}

{% set step = 4 if wide else 1 %}
{% set strips = (ow + across - 1) // across %}
{% set lanes_o = o // step %}
{% set columns = (across - 1) * sx + (kw - 1) * dx + 1 %}
@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.x + group.y * {{ grid_x }}u) * {{ lanes }}u + lane;
  if (i >= {{ count }}u) { return; }
  let channel = i % {{ lanes_o }}u;
  let strip = i / {{ lanes_o }}u;
  let ox = strip % {{ strips }}u * {{ across }}u;
  let oy = strip / {{ strips }}u % {{ oh }}u;
  let image = strip / {{ strips * oh }}u;
  let x0 = i32(ox * {{ sx }}u) - {{ left }};
{% for j in range(across) %}
  var sum{{ j }} = {{ "vec4f()" if wide else "0.0" }};
{% endfor %}
  for (var ky = 0; ky < {{ kh }}; ky++) {
{% if mode == "zero" %}
    let y = i32(oy * {{ sy }}u) - {{ top }} + ky * {{ dy }};
    if (y < 0 || y >= {{ h }}) { continue; }
{% else %}
    let y = inside(i32(oy * {{ sy }}u) - {{ top }} + ky * {{ dy }}, {{ h }});
{% endif %}
    let line = (image * {{ h }}u + u32(y)) * {{ w }}u;
{% if depthwise %}
{% for kx in range(kw) %}
    let w{{ kx }} = weights(u32(ky * {{ kw }} + {{ kx }}), channel * {{ step }}u);
{% endfor %}
{% for column in range(columns) %}
{% set users = [] %}
{% for j in range(across) %}{% for kx in range(kw) if j * sx + kx * dx == column %}
{% set _ = users.append((j, kx)) %}{% endfor %}{% endfor %}
{% if users %}
    {
{% if mode == "zero" %}
      let x = x0 + {{ column }};
      if (x >= 0 && x < {{ w }}) {
{% else %}
      let x = inside(x0 + {{ column }}, {{ w }});
      {
{% endif %}
        let v = a[(line + u32(x)) * {{ lanes_o }}u + channel];
{% for j, kx in users %}
        sum{{ j }} += v * w{{ kx }};
{% endfor %}
      }
    }
{% endif %}
{% endfor %}
{% else %}
    for (var kx = 0; kx < {{ kw }}; kx++) {
{% if mode == "zero" %}
      let x = x0 + kx * {{ dx }};
      if (x < 0 || x >= {{ w }}) { continue; }
{% else %}
      let x = inside(x0 + kx * {{ dx }}, {{ w }});
{% endif %}
      let start = (line + u32(x)) * {{ c }}u + channel / {{ o // groups // step }}u * {{ cg }}u;
      let row = u32(ky * {{ kw }} + kx) * {{ cg }}u;
      for (var k = 0u; k < {{ cg }}u; k++) { sum0 += a[start + k] * weights(row + k, channel * {{ step }}u); }
    }
{% endif %}
  }
  let at = ((image * {{ oh }}u + oy) * {{ ow }}u + ox) * {{ lanes_o }}u + channel;
{% for j in range(across) %}
{% if j %}
  if (ox + {{ j }}u < {{ ow }}u) {
    out[at + {{ j * lanes_o }}u] = finish(sum{{ j }}, at + {{ j * lanes_o }}u, channel);
  }
{% else %}
  out[at] = finish(sum0, at, channel);
{% endif %}
{% endfor %}
}
