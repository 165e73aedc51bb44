{% from "wgsl/product.wgsl" import operands, store %}
{% from "wgsl/window.wgsl" import border %}
{% set depth4 = tile.depth // 4 %}
{% set cols4 = tile.cols // 4 %}
{% set size_a = tile.rows * depth4 %}
{% set size_b = tile.depth * cols4 %}
{% set loads_a = (size_a + tile.lanes - 1) // tile.lanes %}
{% set loads_b = (size_b + tile.lanes - 1) // tile.lanes %}
{% macro guard(size, loads) %}
{% if loads * tile.lanes > size %}if (lane + i * {{ tile.lanes }}u < {{ size }}u) { {% else %}{ {% endif %}
{% endmacro %}
// C[{{ p.work.batch }},M={{ p.work.m }},N={{ p.work.n }}] over K={{ p.work.k }} in {{ splits }} parts: a workgroup makes a tile of {{ tile.rows }}x{{ tile.cols }}
{{ bindings }}

var<workgroup> tile_a: array<vec4f, {{ size_a }}>;  // [rows, depth / 4]
var<workgroup> tile_b: array<vec4f, {{ size_b }}>;  // [depth, cols / 4]

{# Rows of A are windows of an image [N,H,W,pitch], and K runs over their cells (ky, kx, c). Divisions
   make a driver's work long, so what is left over comes by multiplying back. #}
{{ border(view.mode) }}
struct Row { at: u32, y: i32, x: i32 }  // the image, and the window's first cell

fn row_of(at: u32, m: u32) -> Row {
  let pixel = min(m, {{ p.work.m - 1 }}u);
  let line = pixel / {{ view.ow }}u;
  let image = line / {{ view.oh }}u;
  let y = line - image * {{ view.oh }}u;
  let x = pixel - line * {{ view.ow }}u;
  return Row(at + image * {{ view.h * view.w * view.pitch }}u,
    i32(y * {{ view.sy }}u) - {{ view.top }}, i32(x * {{ view.sx }}u) - {{ view.left }});
}

struct Cell { y: u32, x: u32, c: u32 }

fn cell_of(k: u32) -> Cell {
  let cell = k / {{ view.cg }}u;
  let y = cell / {{ view.kw }}u;
  return Cell(y, cell - y * {{ view.kw }}u, k - cell * {{ view.cg }}u);
}

{% set type = "vec4f" if p.a.wide else "f32" %}
fn tap(row: Row, cell: Cell) -> {{ type }} {
  let y = row.y + i32(cell.y * {{ view.dy }}u);
  let x = row.x + i32(cell.x * {{ view.dx }}u);
{% if view.mode == "zero" %}
  let real = cell.y < {{ view.kh }}u && y >= 0 && y < {{ view.h }} && x >= 0 && x < {{ view.w }};
  let at = row.at + u32(y * {{ view.w }} + x) * {{ view.pitch }}u + cell.c;
{% else %}
  let real = cell.y < {{ view.kh }}u;
  let at = row.at + u32(inside(y, {{ view.h }}) * {{ view.w }} + inside(x, {{ view.w }})) * {{ view.pitch }}u + cell.c;
{% endif %}
  return select({{ type }}(), a[select(0u, at, real){{ " / 4u" if p.a.wide }}], real);
}

{{ operands(p) }}
{{ finish }}

{{ store(p, wide, first, total, pitch) }}
@compute @workgroup_size({{ tile.lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let id = group.x + group.y * {{ grid_x }}u;
  if (id >= {{ workgroups }}u) { return; }
  let band = id / {{ tiles_n }}u;
  let layer = band / {{ tiles_m }}u;
  let part = layer / {{ p.work.batch }}u;
  let n0 = (id - band * {{ tiles_n }}u) * {{ tile.cols }}u;
  let m0 = (band - layer * {{ tiles_m }}u) * {{ tile.rows }}u;
  let batch = layer - part * {{ p.work.batch }}u;
  let begin = part * {{ run }}u;
  let end = min(begin + {{ run }}u, {{ p.work.k }}u);
  {{ p.places }}
  var rows: array<Row, {{ loads_a }}>;
  var next_a: array<vec4f, {{ loads_a }}>;
  var next_b: array<vec4f, {{ loads_b }}>;
  var sums: array<vec4f, {{ tile.height }}>;
  for (var i = 0u; i < {{ loads_a }}u; i++) {
    rows[i] = row_of(a_at, m0 + (lane + i * {{ tile.lanes }}u) / {{ depth4 }}u);
  }
  // An invocation loads the same four of every {{ tile.depth }} of K for each of its rows.
  let first_k = begin + lane % {{ depth4 }}u * 4u;
  var cell = cell_of(first_k);
  let col = lane % {{ cols4 }}u;
  let row = lane / {{ cols4 }}u * {{ tile.height }}u;
  // The next tiles are on their way from memory while the present ones are multiplied.
  for (var k = begin; ; k += {{ tile.depth }}u) {
    if (k < end) {
{% if p.a.wide %}
      for (var i = 0u; i < {{ loads_a }}u; i++) { next_a[i] = tap(rows[i], cell); }
      cell.c += {{ tile.depth }}u;
      while (cell.c >= {{ view.cg }}u) {
        cell.c -= {{ view.cg }}u;
        cell.x++;
        if (cell.x == {{ view.kw }}u) {
          cell.x = 0u;
          cell.y++;
        }
      }
{% else %}
      for (var j = 0u; j < 4u; j++) {
        cell = cell_of(first_k - begin + k + j);
        for (var i = 0u; i < {{ loads_a }}u; i++) { next_a[i][j] = tap(rows[i], cell); }
      }
{% endif %}
      for (var i = 0u; i < {{ loads_b }}u; i++) {
        let place = lane + i * {{ tile.lanes }}u;
        next_b[i] = load_b(b_at, k + place / {{ cols4 }}u, n0 + place % {{ cols4 }}u * 4u);
      }
    }
    if (k > begin) {
      for (var q = 0u; q < {{ depth4 }}u; q++) {
        let b0 = tile_b[q * {{ 4 * cols4 }}u + col];
        let b1 = tile_b[q * {{ 4 * cols4 }}u + {{ cols4 }}u + col];
        let b2 = tile_b[q * {{ 4 * cols4 }}u + {{ 2 * cols4 }}u + col];
        let b3 = tile_b[q * {{ 4 * cols4 }}u + {{ 3 * cols4 }}u + col];
        for (var r = 0u; r < {{ tile.height }}u; r++) {
          let a = tile_a[(row + r) * {{ depth4 }}u + q];
          sums[r] += a.x * b0;
          sums[r] += a.y * b1;
          sums[r] += a.z * b2;
          sums[r] += a.w * b3;
        }
      }
    }
    if (k >= end) { break; }
    workgroupBarrier();
    for (var i = 0u; i < {{ loads_a }}u; i++) {
      {{ guard(size_a, loads_a) }}tile_a[lane + i * {{ tile.lanes }}u] = next_a[i]; }
    }
    for (var i = 0u; i < {{ loads_b }}u; i++) {
      {{ guard(size_b, loads_b) }}tile_b[lane + i * {{ tile.lanes }}u] = next_b[i]; }
    }
    workgroupBarrier();
  }
  for (var r = 0u; r < {{ tile.height }}u; r++) {
    store(sums[r], batch, m0 + row + r, n0 + col * 4u, part);
  }
}
