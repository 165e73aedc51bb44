{% from "conv2d/winograd_lines.wgsl" import each, output %}
{% set side = size + 2 %}
// out = finish(A' m A) of each tile's {{ side }}x{{ side }} products m: {{ size }}x{{ size }} pixels, of which the last may hang over
{{ bindings }}

{{ finish }}

fn put(sum: vec4f, y: u32, x: u32, base: u32, channel: u32) {
  if (y >= {{ oh }}u || x >= {{ ow }}u) { return; }
  let at = base + (y * {{ ow }}u + x) * {{ quads }}u;
  out[at] = finish(sum, at, channel);
}

{{ output(size) }}
@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.x + group.y * {{ grid_x }}u) * {{ lanes }}u + lane;
  if (i >= {{ count }}u) { return; }
  let tile = i / {{ quads }}u;
  let channel = i % {{ quads }}u;
  let base = tile / {{ across * down }}u * {{ oh * ow * quads }}u + channel;
  let y = tile / {{ across }}u % {{ down }}u * {{ size }}u;
  let x = tile % {{ across }}u * {{ size }}u;
{% for j in range(side) %}
  let t{{ j }} = line(array<vec4f, {{ side }}>({% for k in range(side) %}m[{{ (side * k + j) * count }}u + i]{{ ", " if not loop.last }}{% endfor %}));
{% endfor %}
{% for j in range(size) %}
  let r{{ j }} = line({{ each(side, "t#[%d]" % j) }});
{% for k in range(size) %}
  put(r{{ j }}[{{ k }}], y + {{ j }}u, x + {{ k }}u, base, channel);
{% endfor %}
{% endfor %}
}
