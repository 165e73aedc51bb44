{% from "conv2d/wgsl/winograd_lines.wgsl" import output, transform %}
{% set side = size + 2 %}
// out = finish(A' m A) of each tile's {{ side }}x{{ side }} products m: {{ size }}x{{ size }} pixels, of which the last may hang over
{{ bindings }}

{{ finish }}

fn put(sum: vec4f, y: u32, x: u32, base: u32, channel: u32) {
  if (y >= {{ oh }}u || x >= {{ ow }}u) { return; }
  let at = base + (y * {{ ow }}u + x) * {{ pitch }}u;
  out[at] = finish(sum, at, channel);
}

{{ output(size) }}
{% call(part) transform(side, side, size, size, count, items, grid_x) %}
{% if part == "place" %}
  let tile = i / {{ quads }}u;
  let channel = i % {{ quads }}u;
  let base = tile / {{ across * down }}u * {{ oh * ow * pitch }}u + {{ start }}u + channel;
  let y = tile / {{ across }}u % {{ down }}u * {{ size }}u;
  let x = tile % {{ across }}u * {{ size }}u;
{% elif part == "load" %}
m[(#u * {{ side }}u + j) * {{ count }}u + i]
{%- else %}
put(r[#], y + j, x + #u, base, channel);
{%- endif %}
{% endcall %}
