{# Where a window's cell lies in the image, by pad mode. #}
{% macro border(mode) %}
{% if mode == "reflect" %}
fn inside(i: i32, size: i32) -> i32 {
  let j = abs(i);
  return clamp(min(j, 2 * (size - 1) - j), 0, size - 1);
}
{% elif mode == "edge" %}
fn inside(i: i32, size: i32) -> i32 { return clamp(i, 0, size - 1); }
{% endif %}
{% endmacro %}
