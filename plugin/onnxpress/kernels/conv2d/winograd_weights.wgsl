{% from "conv2d/winograd_lines.wgsl" import transform, weights %}
{% set side = size + 2 %}
// u[{{ side * side }},{{ c }},{{ o }}] = G w G' of each 3x3 kernel, for tiles of {{ size }}x{{ size }}
{{ bindings }}

fn weight(i: u32) -> vec4f { return w[i]; }

{{ weights(size) }}
{% call(part) transform(3, 3, side, side, count, items, grid_x) %}
{% if part == "load" %}
weight((#u * 3u + j) * {{ count }}u + i)
{%- elif part == "store" %}
u[({{ side }}u * j + #u) * {{ count }}u + i] = r[#];
{%- endif %}
{% endcall %}
