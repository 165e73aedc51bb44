{% extends "wgsl_gemm.wgsl" %}
{# a[...,M,K], b[...,K,N]; `first_k` is where this piece of K begins in a. #}
{% block load_a %}
alias Row = u32;

fn row_of(at: u32, m: u32) -> Row { return at + min(m, {{ p.m - 1 }}u) * {{ row }}u; }

fn load_a(row: Row, k: u32) -> vec4f {
{% if p.a.wide %}
  let real = k < {{ p.k }}u;
  return select(vec4f(), a[select(0u, row + k, real) / 4u], real);
{% else %}
  var v = vec4f();
  for (var j = 0u; j < 4u; j++) {
    let real = k + j < {{ p.k }}u;
    v[j] = select(0.0, a[select(0u, row + k + j, real)], real);
  }
  return v;
{% endif %}
}
{% endblock %}
