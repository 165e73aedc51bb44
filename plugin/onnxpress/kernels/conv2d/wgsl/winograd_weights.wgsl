{% from "conv2d/wgsl/winograd_lines.wgsl" import kernel, transform %}
{% set side = size + 2 %}
// u[{{ side * side }},{{ c }},{{ o }}] = G w G' of each 3x3 kernel, for tiles of {{ size }}x{{ size }}
{{ bindings }}

{{ weights }}
{{ kernel(size) }}
{% call(part) transform(3, 3, side, side, count, items, grid_x) %}
{% if part == "place" %}
  let c = i / {{ o // 4 }}u;
  let o = i % {{ o // 4 }}u * 4u;
{% elif part == "load" %}
weights((#u * 3u + j) * {{ c }}u + c, o)
{%- else %}
u[({{ side }}u * j + #u) * {{ count }}u + i] = r[#];
{%- endif %}
{% endcall %}
