{% from "conv2d/wgsl/winograd_lines.wgsl" import input, transform %}
{% from "wgsl/window.wgsl" import border %}
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
{% call(part) transform(side, side, side, side, count, items, grid_x) %}
{% if part == "place" %}
  let tile = i / {{ quads }}u;
  let base = tile / {{ across * down }}u * {{ h * w * quads }}u + i % {{ quads }}u;
  let y = i32(tile / {{ across }}u % {{ down }}u * {{ size }}u) - {{ top }};
  let x = i32(tile % {{ across }}u * {{ size }}u) - {{ left }};
{% elif part == "load" %}
cell(base, y + #, x + i32(j))
{%- else %}
v[({{ side }}u * j + #u) * {{ count }}u + i] = r[#];
{%- endif %}
{% endcall %}
