{% macro operands(p) %}
{{ p.b.text }}
fn load_b(first: vec2u, k: u32, n: u32) -> vec4f {
{% if p.b.wide %}
  let real = k < {{ p.work.k }}u && n < {{ p.work.n }}u;
  let at = select(vec2u(), first + vec2u(k, n), real);
  return select(vec4f(), weights(at.x, at.y), real);
{% else %}
  var v = vec4f();
  for (var j = 0u; j < 4u; j++) {
    let real = k < {{ p.work.k }}u && n + j < {{ p.work.n }}u;
    let at = select(vec2u(), first + vec2u(k, n + j), real);
    v[j] = select(0.0, weights(at.x, at.y), real);
  }
  return v;
{% endif %}
}
{% endmacro %}
{% macro store(p, wide, first, total, pitch) %}
fn store(sum: vec4f, batch: u32, m: u32, n: u32, part: u32) {
  if (m >= {{ p.work.m }}u || n >= {{ p.work.n }}u) { return; }
  let at = m * {{ pitch }}u + batch * {{ p.step }}u + n;
  let channel = {{ p.channel }};
  let place = {{ first }}u + part * {{ total }}u + at;
{% if wide %}
  out[place / 4u] = finish(sum, at / 4u, channel / 4u);
{% else %}
  for (var j = 0u; j < min(4u, {{ p.work.n }}u - n); j++) {
    out[place + j] = finish(sum[j], at + j, channel + j);
  }
{% endif %}
}
{% endmacro %}
