{# Pieces of a kernel over [outputs, length]; see rows.py, and shader.py for `//+`. #}
{% macro main(lanes) %}
@compute @workgroup_size({{ lanes }})
fn main(
  //+ @builtin(subgroup_size) subgroup: u32,
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32
) {
{% endmacro %}
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
{# Leaves in shared_[across] what `combine` (WGSL, of s and t) makes of the values of one column.
   `met`: how many neighbours along have met in their subgroup. #}
{% macro tree(rows, value, combine) %}
  workgroupBarrier();
  {
    var s = {{ value }};
    var met = 1u;
    //+ for (; met < min({{ rows.along }}u, subgroup / {{ rows.across }}u); met *= 2u) {
    //+   let t = subgroupShuffleXor(s, met * {{ rows.across }}u);
    //+   s = {{ combine }};
    //+ }
    shared_[lane] = s;
    for (var width = {{ rows.along // 2 }}u; width >= met; width /= 2u) {
      workgroupBarrier();
      if (along < width) {
        let t = shared_[lane + width * {{ rows.across }}u];
        s = {{ combine }};
        shared_[lane] = s;
      }
    }
  }
  workgroupBarrier();
{% endmacro %}
