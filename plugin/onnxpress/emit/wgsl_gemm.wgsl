{% from "wgsl_product.wgsl" import operands, store %}
// C[{{ p.batch }},M={{ p.m }},N={{ p.n }}] over K={{ p.k }} in {{ splits }} parts: a workgroup makes a tile of {{ tile.rows }}x{{ tile.cols }}
{{ bindings }}
{% set depth4 = tile.depth // 4 %}
{% set cols4 = tile.cols // 4 %}
{% set size_a = tile.rows * depth4 %}
{% set size_b = tile.depth * cols4 %}
{% set loads_a = (size_a + tile.lanes - 1) // tile.lanes %}
{% set loads_b = (size_b + tile.lanes - 1) // tile.lanes %}

var<workgroup> tile_a: array<vec4f, {{ size_a }}>;  // [rows, depth / 4]
var<workgroup> tile_b: array<vec4f, {{ size_b }}>;  // [depth, cols / 4]

{% block load_a %}{% endblock %}
{{ operands(p) }}
{{ finish }}

{{ store(p, wide, first, total) }}
@compute @workgroup_size({{ tile.lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let id = group.x + group.y * {{ grid_x }}u;
  if (id >= {{ workgroups }}u) { return; }
  let n0 = id % {{ tiles_n }}u * {{ tile.cols }}u;
  let m0 = id / {{ tiles_n }}u % {{ tiles_m }}u * {{ tile.rows }}u;
  let batch = id / {{ tiles_n * tiles_m }}u % {{ p.batch }}u;
  let part = id / {{ tiles_n * tiles_m * p.batch }}u;
  let begin = part * {{ run }}u;
  let end = min(begin + {{ run }}u, {{ p.k }}u);
  {{ p.places }}
{% for i in range(loads_a) %}
  let row{{ i }} = row_of(a_at, m0 + (lane + {{ i * tile.lanes }}u) / {{ depth4 }}u);
  let ka{{ i }} = (lane + {{ i * tile.lanes }}u) % {{ depth4 }}u * 4u;
{% endfor %}
{% for i in range(loads_b) %}
  let nb{{ i }} = n0 + (lane + {{ i * tile.lanes }}u) % {{ cols4 }}u * 4u;
  let kb{{ i }} = (lane + {{ i * tile.lanes }}u) / {{ cols4 }}u;
{% endfor %}
{% for r in range(tile.height) %}
  var acc{{ r }} = vec4f();
{% endfor %}
  let col = lane % {{ cols4 }}u;
  let row = lane / {{ cols4 }}u * {{ tile.height }}u;
  // The next tiles are on their way from memory while the present ones are multiplied.
  for (var k = begin; k < end + {{ tile.depth }}u; k += {{ tile.depth }}u) {
{% for i in range(loads_a) %}
    let next_a{{ i }} = load_a(row{{ i }}, k + ka{{ i }});
{% endfor %}
{% for i in range(loads_b) %}
    let next_b{{ i }} = load_b(b_at, k + kb{{ i }}, nb{{ i }});
{% endfor %}
    if (k > begin) {
      for (var q = 0u; q < {{ depth4 }}u; q++) {
        let b0 = tile_b[q * {{ 4 * cols4 }}u + col];
        let b1 = tile_b[q * {{ 4 * cols4 }}u + {{ cols4 }}u + col];
        let b2 = tile_b[q * {{ 4 * cols4 }}u + {{ 2 * cols4 }}u + col];
        let b3 = tile_b[q * {{ 4 * cols4 }}u + {{ 3 * cols4 }}u + col];
{% for r in range(tile.height) %}
        let a{{ r }} = tile_a[(row + {{ r }}u) * {{ depth4 }}u + q];
        acc{{ r }} += a{{ r }}.x * b0;
        acc{{ r }} += a{{ r }}.y * b1;
        acc{{ r }} += a{{ r }}.z * b2;
        acc{{ r }} += a{{ r }}.w * b3;
{% endfor %}
      }
    }
    workgroupBarrier();
{% for i in range(loads_a) %}
    {% if (i + 1) * tile.lanes > size_a %}if (lane < {{ size_a - i * tile.lanes }}u) {% endif %}
{ tile_a[lane + {{ i * tile.lanes }}u] = next_a{{ i }}; }
{% endfor %}
{% for i in range(loads_b) %}
    {% if (i + 1) * tile.lanes > size_b %}if (lane < {{ size_b - i * tile.lanes }}u) {% endif %}
{ tile_b[lane + {{ i * tile.lanes }}u] = next_b{{ i }}; }
{% endfor %}
    workgroupBarrier();
  }
{% for r in range(tile.height) %}
  store(acc{{ r }}, batch, m0 + row + {{ r }}u, n0 + col * 4u, part);
{% endfor %}
}
