{% from "conv2d/winograd_lines.wgsl" import each, input %}
{% from "wgsl_window.wgsl" import border %}
{% set side = size + 2 %}
// v[{{ side * side }},{{ count // quads }},{{ 4 * quads }}] = B' d B of each tile's {{ side }}x{{ side }} cells d, {{ size }} pixels apart
{{ bindings }}

{{ border(mode) }}
fn cell(base: u32, y: i32, x: i32) -> vec4f {
{% if mode == "zero" %}
  let real = y >= 0 && y < {{ h }} && x >= 0 && x < {{ w }};
  let at = base + u32(y * {{ w }} + x) * {{ quads }}u;
  return select(vec4f(), a[select(0u, at, real)], real);
{% else %}
  return a[base + u32(inside(y, {{ h }}) * {{ w }} + inside(x, {{ w }})) * {{ quads }}u];
{% endif %}
}

{{ input(size) }}
@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.x + group.y * {{ grid_x }}u) * {{ lanes }}u + lane;
  if (i >= {{ count }}u) { return; }
  let tile = i / {{ quads }}u;
  let base = tile / {{ across * down }}u * {{ h * w * quads }}u + i % {{ quads }}u;
  let y = i32(tile / {{ across }}u % {{ down }}u * {{ size }}u) - {{ top }};
  let x = i32(tile % {{ across }}u * {{ size }}u) - {{ left }};
{% for j in range(side) %}
  let t{{ j }} = line({{ each(side, "cell(base, y + #, x + %d)" % j) }});
{% endfor %}
{% for j in range(side) %}
  let r{{ j }} = line({{ each(side, "t#[%d]" % j) }});
{% for k in range(side) %}
  v[{{ (side * j + k) * count }}u + i] = r{{ j }}[{{ k }}];
{% endfor %}
{% endfor %}
}
