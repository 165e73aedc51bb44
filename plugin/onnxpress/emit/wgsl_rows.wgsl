{# Pieces of a kernel over [outputs, length]; see wgsl_rows.py. #}
{% macro head(rows, grid_x, workgroups) %}
  let id = group.x + group.y * {{ grid_x }}u;
  if (id >= {{ workgroups }}u) { return; }
  let part = id / {{ rows.tiles }}u;
  let across = lane % {{ rows.across }}u;
  let along = lane / {{ rows.across }}u;
  let column = id % {{ rows.tiles }}u * {{ rows.across }}u + across;
  let o = min(column, {{ rows.outputs - 1 }}u);
  let real = column < {{ rows.outputs }}u;
  {{ rows.output_places }}
  let begin = part * {{ rows.run }}u;
  let end = min(begin + {{ rows.run }}u, {{ rows.length }}u);
{% endmacro %}
{# Runs `body` for every r of this part that falls to this invocation. #}
{% macro each(rows) %}
  for (var r = begin + along; r < end; r += {{ rows.along }}u) {
    {{ rows.element_places }}
{{ caller() }}
  }
{% endmacro %}
{# Leaves in shared_[across] what `combine` (WGSL, of s and t) makes of the values of one column. #}
{% macro tree(rows, value, combine) %}
  workgroupBarrier();
  shared_[lane] = {{ value }};
  for (var width = {{ rows.along // 2 }}u; width > 0u; width /= 2u) {
    workgroupBarrier();
    if (along < width) {
      let s = shared_[lane];
      let t = shared_[lane + width * {{ rows.across }}u];
      shared_[lane] = {{ combine }};
    }
  }
  workgroupBarrier();
{% endmacro %}
