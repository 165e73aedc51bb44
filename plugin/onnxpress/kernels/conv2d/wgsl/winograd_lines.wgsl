{# The transforms of a line of vec4f by Winograd's F(2, 3) and F(4, 3), as WGSL functions. #}
{% macro input(size) %}
// B' d: the cells of a line of {{ size }} pixels, transformed
fn line(d: array<vec4f, {{ size + 2 }}>) -> array<vec4f, {{ size + 2 }}> {
{% if size == 2 %}
  return array<vec4f, 4>(d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]);
{% else %}
  let a = d[4] - 4.0 * d[2];
  let b = d[3] - 4.0 * d[1];
  let e = d[4] - d[2];
  let f = 2.0 * (d[3] - d[1]);
  return array<vec4f, 6>(
    4.0 * d[0] - 5.0 * d[2] + d[4], a + b, a - b, e + f, e - f, 4.0 * d[1] - 5.0 * d[3] + d[5]);
{% endif %}
}
{% endmacro %}
{% macro output(size) %}
// A' m: the {{ size }} pixels of a line of products
fn line(m: array<vec4f, {{ size + 2 }}>) -> array<vec4f, {{ size }}> {
{% if size == 2 %}
  return array<vec4f, 2>(m[0] + m[1] + m[2], m[1] - m[2] - m[3]);
{% else %}
  let a = m[1] + m[2];
  let b = m[1] - m[2];
  let e = m[3] + m[4];
  let f = m[3] - m[4];
  return array<vec4f, 4>(m[0] + a + e, b + 2.0 * f, a + 4.0 * e, b + 8.0 * f + m[5]);
{% endif %}
}
{% endmacro %}
{% macro kernel(size) %}
// G g: three weights of a line, transformed
fn line(g: array<vec4f, 3>) -> array<vec4f, {{ size + 2 }}> {
{% if size == 2 %}
  let a = 0.5 * (g[0] + g[2]);
  let b = 0.5 * g[1];
  return array<vec4f, 4>(g[0], a + b, a - b, g[2]);
{% else %}
  let a = (g[0] + g[2]) / -6.0;
  let b = g[1] / -6.0;
  let e = g[0] / 24.0 + g[2] / 6.0;
  let f = g[1] / 12.0;
  return array<vec4f, 6>(0.25 * g[0], a + b, a - b, e + f, e - f, g[2]);
{% endif %}
}
{% endmacro %}
{# `count` squares of vec4f, transformed line by line: an invocation makes column `j` of `rows`
   cells, one of `columns`, and then row `j` of what came out. The caller's parts: "place" (statements
   for square `i`), "load" (cell # of column `j`), "store" (value # of row `j`, r[#]). #}
{% macro transform(rows, columns, made, stored, count, items, grid_x) %}
var<workgroup> half_way: array<vec4f, {{ items * columns * made }}>;  // [made, columns, items]

@compute @workgroup_size({{ items * [columns, made] | max }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let item = lane % {{ items }}u;
  let j = lane / {{ items }}u;
  let i = (group.x + group.y * {{ grid_x }}u) * {{ items }}u + item;
  let real = i < {{ count }}u;
{{ caller("place") }}
  if (real && j < {{ columns }}u) {
    let t = line(array<vec4f, {{ rows }}>({{ each(rows, caller("load"), ", ") }}));
{% for k in range(made) %}
    half_way[({{ k * columns }}u + j) * {{ items }}u + item] = t[{{ k }}];
{% endfor %}
  }
  workgroupBarrier();
  if (real && j < {{ made }}u) {
    let r = line(array<vec4f, {{ columns }}>({{ each(columns, "half_way[(j * %du + #u) * %du + item]" % (columns, items), ", ") }}));
    {{ each(stored, caller("store"), "\n    ") }}
  }
}
{% endmacro %}
{# `count` times `text`, in which # stands for the index. #}
{% macro each(count, text, between) %}
{% for i in range(count) %}{{ text | trim | replace("#", i | string) }}{{ between if not loop.last }}{% endfor %}
{% endmacro %}
