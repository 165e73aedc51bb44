{% from "wgsl/product.wgsl" import operands, store %}
{% from "wgsl/rows.wgsl" import main %}
{% set strands = 256 // quads %}
// C[{{ p.work.batch }},1,N={{ p.work.n }}] over K={{ p.work.k }}: a workgroup sums {{ quads }} columns of vec4f along {{ strands }} strands of K
{{ bindings }}

var<workgroup> sums: array<vec4f, 256>;  // [strands, quads]

{{ operands(p) }}
{{ finish }}

{{ store(p, wide, first, total, pitch) }}
{{ main(256) }}
  let id = group.x + group.y * {{ grid_x }}u;
  if (id >= {{ workgroups }}u) { return; }
  let batch = id / {{ tiles }}u;
  let n = (id % {{ tiles }}u * {{ quads }}u + lane % {{ quads }}u) * 4u;
  {{ p.places }}
  var sum = vec4f();
  var k = lane / {{ quads }}u;
  for (; k + {{ 3 * strands }}u < {{ p.work.k }}u; k += {{ 4 * strands }}u) {
    let b0 = load_b(b_at, k, n);
    let b1 = load_b(b_at, k + {{ strands }}u, n);
    let b2 = load_b(b_at, k + {{ 2 * strands }}u, n);
    let b3 = load_b(b_at, k + {{ 3 * strands }}u, n);
    sum += a[a_at + k] * b0 + a[a_at + k + {{ strands }}u] * b1
      + a[a_at + k + {{ 2 * strands }}u] * b2 + a[a_at + k + {{ 3 * strands }}u] * b3;
  }
  for (; k < {{ p.work.k }}u; k += {{ strands }}u) { sum += a[a_at + k] * load_b(b_at, k, n); }
  var met = {{ quads }}u;
  //+ for (; met < min(256u, subgroup); met *= 2u) { sum += subgroupShuffleXor(sum, met); }
  sums[lane] = sum;
  for (var width = 128u; width >= met; width /= 2u) {
    workgroupBarrier();
    if (lane < width) { sums[lane] += sums[lane + width]; }
  }
  if (lane < {{ quads }}u) { store(sums[lane], batch, 0u, n, 0u); }
}
