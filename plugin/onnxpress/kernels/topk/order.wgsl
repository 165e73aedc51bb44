{# Which of two elements of x [outer, n, inner] is better. Rows count outer * inner. #}
{% macro order(n, inner, largest) %}
// The better of two elements has the greater key. Zeros are equal, and NaN is above all numbers.
fn key_at(row: u32, place: u32) -> u32 {
  if (place >= {{ n }}u) { return 0u; }
  let bits = bitcast<u32>(x[(row / {{ inner }}u * {{ n }}u + place) * {{ inner }}u + row % {{ inner }}u]);
  let size = bits & 0x7fffffffu;
  let number = select(0x80000000u + size, 0x80000000u - size, bits > 0x80000000u);
  let key = select(number, 0xffffffffu, size > 0x7f800000u);
  return {{ "key" if largest else "~key" }};
}

fn ahead(key: u32, place: u32, other_key: u32, other_place: u32) -> bool {
  return key > other_key || (key == other_key && place < other_place);
}
{% endmacro %}
{# Pairs in workgroup memory: keys[i] and places[i]. #}
{% macro pairs(count) %}
var<workgroup> keys: array<u32, {{ count }}>;
var<workgroup> places: array<u32, {{ count }}>;

fn exchange(i: u32, j: u32, forwards: bool) {
  if (ahead(keys[j], places[j], keys[i], places[i]) == forwards) {
    let key = keys[i];
    let place = places[i];
    keys[i] = keys[j];
    places[i] = places[j];
    keys[j] = key;
    places[j] = place;
  }
}
{% endmacro %}
