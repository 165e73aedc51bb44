{% extends "wgsl_gemm.wgsl" %}
{% from "conv2d/window.wgsl" import border %}
{# Implicit GEMM: rows are output pixels, columns output channels of one group (`batch`), and K
   runs over (ky, kx, c). Image: [N,H,W,C]; weights: [KH,KW,C/groups,O]. #}
{% block load_a %}
{{ border(mode) }}
struct Row { at: u32, y: i32, x: i32 }

fn row_of(at: u32, m: u32) -> Row {
  let pixel = min(m, {{ p.m - 1 }}u);
{% if flat %}
  return Row(at + pixel * {{ row }}u, 0, 0);
{% else %}
  let y = pixel / {{ ow }}u % {{ oh }}u;
  let x = pixel % {{ ow }}u;
  return Row(at + pixel / {{ oh * ow }}u * {{ h * w * c }}u,
    i32(y * {{ sy }}u) - {{ top }}, i32(x * {{ sx }}u) - {{ left }});
{% endif %}
}

{% set type = "vec4f" if p.a.wide else "f32" %}
fn tap(row: Row, k: u32) -> {{ type }} {
{% if flat %}
  let real = k < {{ p.k }}u;
  let at = row.at + k;
{% else %}
  let y = row.y + i32(k / {{ kw * cg }}u * {{ dy }}u);
  let x = row.x + i32(k / {{ cg }}u % {{ kw }}u * {{ dx }}u);
{% if mode == "zero" %}
  let real = k < {{ p.k }}u && y >= 0 && y < {{ h }} && x >= 0 && x < {{ w }};
  let at = row.at + u32(y * {{ w }} + x) * {{ c }}u + k % {{ cg }}u;
{% else %}
  let real = k < {{ p.k }}u;
  let at = row.at + u32(inside(y, {{ h }}) * {{ w }} + inside(x, {{ w }})) * {{ c }}u + k % {{ cg }}u;
{% endif %}
{% endif %}
  return select({{ type }}(), a[select(0u, at, real){{ " / 4u" if p.a.wide }}], real);
}

fn load_a(row: Row, k: u32) -> vec4f {
{% if p.a.wide %}
  return tap(row, k);
{% else %}
  var v = vec4f();
  for (var j = 0u; j < 4u; j++) { v[j] = tap(row, k + j); }
  return v;
{% endif %}
}
{% endblock %}
